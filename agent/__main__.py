"""The command line: `python -m agent COMMAND`. Only the command asked for is imported.

Exit status: 0 a report was made; 2 the input is at fault; 3 `--fail-on` was met; 130 cancelled;
1 anything else failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

# We use no pydantic plugin; looking for some costs 18 ms of 450 at every start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from audit.records.errors import Cancelled, GoblinError, SetupError, UserError

COMMANDS = {
    "audit": "what wastes the GPU or breaks the training, a patch, before and after",
    "parse": "what a training file says, field by field, and where each value comes from",
    "patch": "a unified diff that `git apply` takes",
    "search": "ask the knowledge base in words",
    "estimate": "project the speed and memory of a training file on a card",
    "what-if": "the same file on other cards, counts and lengths: fit, speed, time and money",
    "env": "versions, cards and drivers of this box as JSON, to upload beside a training file",
    "doctor": "is this box fit to train: torch, extensions, memory, limits",
    "list": "the audits kept on this machine",
    "show": "the report of a kept audit",
    "compare": "the figures of two or more kept audits side by side",
    "ask": "a question about a kept audit, answered with rule ids and lines",
    "replay": "the recorded events of a kept audit, one per line",
    "export": "a kept audit as JSON, Markdown, HTML, SARIF, a patch, or a conversation",
    "delete": "delete a kept audit with the bytes uploaded for it",
}
"""Command -> what it gives. Each has a module of its name in agent/commands (`_` for `-`)."""
OK, FAILED, INPUT_AT_FAULT, CANCELLED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(given)
        sys.stdout.flush()
    except UserError as error:
        return _complain(str(error), FAILED if isinstance(error, SetupError) else INPUT_AT_FAULT)
    except (KeyboardInterrupt, Cancelled):
        return _complain("cancelled", CANCELLED)
    except GoblinError as error:
        return _complain(str(error), FAILED)
    except BrokenPipeError:
        # The reader has gone (`| head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        from agent.commands.options import fault

        told = fault(" ".join(given[:1]), error)
        return _complain(f"{told}. This is a fault of GPU Goblin: please report it.", FAILED)
    return status


def _run(given: list[str]) -> int:
    name = given[0] if given else "--help"
    if name in ("-h", "--help", "help"):
        sys.stdout.write(_overview())
        return OK
    if name not in COMMANDS:
        message = f"there is no command {name!r}"
        raise UserError(message, remedy=f"Commands: {', '.join(COMMANDS)}.")
    module = import_module(f"agent.commands.{name.replace('-', '_')}")
    parser = _Parser(
        prog=f"python -m agent {name}",
        description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".",
        allow_abbrev=False,
    )
    module.add_options(parser)
    return int(module.run(parser.parse_args(given[1:])))


class _Parser(argparse.ArgumentParser):
    """Blames the words of a command line in one line, as every other input."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse for a word it does not know."""
        raise UserError(message, remedy=f"See {self.prog} --help.")


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "GPU Goblin: audit a fine-tuning file before you press start.",
            "",
            "usage: python -m agent COMMAND ...      python -m agent COMMAND --help",
            "",
            *lines,
            "",
        ]
    )


def _complain(message: str, status: int) -> int:
    from agent.commands.say import tell

    tell(message)
    return status


if __name__ == "__main__":
    sys.exit(main())
