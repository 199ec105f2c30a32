"""One line of a check-up: what was looked at, how it stands, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Line:
    """`bad` stops or spoils a run, `warn` costs speed or safety."""

    level: Level
    name: str
    text: str
    remedy: str | None = None


def ok(name: str, text: str) -> Line:
    """As it should be."""
    return Line("ok", name, text)


def warn(name: str, text: str, remedy: str) -> Line:
    """Costs speed or safety."""
    return Line("warn", name, text, remedy)


def bad(name: str, text: str, remedy: str) -> Line:
    """Stops or spoils a run."""
    return Line("bad", name, text, remedy)
