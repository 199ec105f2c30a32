"""Everything that the command line writes, so that no text of a file can steer the terminal."""

from __future__ import annotations

import sys

from audit.export.printable import printable


def say(text: str) -> None:
    """Words for people, on standard output; the text brings its own line ends."""
    sys.stdout.write(printable(text))
    sys.stdout.flush()


def give(text: str) -> None:
    """A document for a program or a file: exact, unless it goes to a terminal."""
    try:
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    except UnicodeEncodeError:  # a file name that is no UTF-8
        sys.stdout.write(printable(text))
    sys.stdout.flush()


def tell(message: str) -> None:
    """One line on standard error, without secrets."""
    from audit.log.redact import redact

    sys.stderr.write(f"goblin: {printable(redact(message), keep='')}\n")
    sys.stderr.flush()
