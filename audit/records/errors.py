"""Every error that we raise on purpose, in one tree.

GoblinError
|-- UserError              shown to the user as it is: place, reason, remedy
|   |-- InputError         a file or text that cannot be read or edited (exit status 2)
|   |-- UnknownName        a hardware, model, rule or audit id that is not known (exit status 2)
|   |-- MissingFacts       what the estimate needs is not known; says what to state (exit status 2)
|   `-- SetupError         a missing key, package or server (exit status 1)
|-- ModelMistake           fed back to the model as text: a wrong tool argument, an unknown id
|-- RunFailed              a benchmark run ended without figures: a result, never a fallback
`-- Cancelled              the owner cancelled the audit

Anything else is a bug and rises to the worker thread, which records an `error` event.
"""

from __future__ import annotations

from typing import Literal

ErrorKind = Literal["input", "backend", "runner", "budget", "interrupted", "internal"]
"""`error.kind` of the event that tells the reader what failed."""


class GoblinError(Exception):
    """The root of the tree."""


class UserError(GoblinError):
    """Shown to the user as it is: place, reason, remedy, in that order.

    Args:
        reason: what is wrong, one plain sentence without a final full stop.
        file: the user's file, by its own name.
        line: 1-based line in that file.
        column: 1-based column in that line.
        remedy: what to do next, one sentence; it gets a full stop where it ends in none.
    """

    kind: ErrorKind = "input"

    def __init__(
        self,
        reason: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.reason, self.file, self.line, self.column = reason, file, line, column
        self.remedy = _ended(remedy) if remedy else remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        """Give `file, line 3, column 7: reason. Remedy`."""
        place = self.file or ""
        if self.line is not None:
            place += f", line {self.line}"
            if self.column is not None:
                place += f", column {self.column}"
        text = f"{place}: {self.reason}" if place else self.reason
        return f"{text}. {self.remedy}" if self.remedy else text


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


class InputError(UserError):
    """A file or text that cannot be read or edited."""


class UnknownName(UserError):
    """A hardware, model, rule or audit id that is not known."""


class MissingFacts(UserError):
    """Something that the estimate needs is not known.

    Args:
        missing: names of the fields or figures that are not known, or that no run can have.
    """

    def __init__(
        self,
        reason: str,
        *,
        missing: tuple[str, ...],
        remedy: str | None = None,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        self.missing = missing
        super().__init__(reason, remedy=remedy, file=file, line=line)


class SetupError(UserError):
    """A missing key, package or server."""

    kind: ErrorKind = "backend"


class ModelMistake(GoblinError):
    """Fed back to the model as text."""


class RunFailed(GoblinError):
    """A benchmark run ended without figures."""


class Cancelled(GoblinError):
    """The owner cancelled the audit."""

    def __init__(self) -> None:
        super().__init__("the owner cancelled the audit")
