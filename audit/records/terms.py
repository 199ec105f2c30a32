"""On what terms a billable run starts: what its owner may change before approving it."""

from __future__ import annotations

import re

from pydantic import Field

from audit.records.base import Record

_TIMEOUT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", re.ASCII)
_UNIT = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_TIMEOUT_S = 7 * 86400.0


class Terms(Record):
    """The terms of the before/after pair of one audit."""

    steps: int = Field(default=50, ge=1, le=10_000)
    """Timed optimizer steps per arm."""
    timeout_s: float | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S)
    """Seconds after which the run is killed; None: the runner's own limit."""
    flavor: str | None = Field(default=None, max_length=64, pattern=r"^[\w.-]+$")
    """The machine to rent, as the runner calls it; None: the runner chooses."""
    namespace: str | None = Field(default=None, max_length=96, pattern=r"^[\w.-]+$")
    """Who pays: a user or organisation; None: the owner of the token."""


def read_timeout(text: object) -> float | None:
    """Seconds of `90`, `90s`, `30m`, `1.5h` or `1d`; None for anything else, and for 0 or less."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    found = _TIMEOUT.fullmatch(str(text))
    if found is None:
        return None
    seconds = float(found[1]) * _UNIT[found[2]]
    return seconds if 0 < seconds <= MAX_TIMEOUT_S else None
