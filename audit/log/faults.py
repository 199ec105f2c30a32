"""Keeps the traces of our own faults for a bug report: faults.log in the data folder, redacted."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path

from audit.log.redact import redact

FILE = "faults.log"
MAX_BYTES = 1_000_000
"""Older traces are dropped above this size."""


def record_fault(folder: Path, place: str, error: Exception) -> str:
    """Append the trace of `error`; returns the one line that a user sees.

    Args:
        folder: the data folder, made if absent (mode 0700).
        place: what was being done: an audit id, a file's name, a command.
        error: an exception that nobody expected.
    """
    trace = redact("".join(traceback.format_exception(error)))
    path = folder / FILE
    text = f"internal error: {type(error).__name__}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        kept = path.read_text(errors="replace")[-MAX_BYTES:]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        path.write_text(f"{kept}{now} {redact(place)}\n{trace}\n")
    except OSError:
        return text
    return f"{text}; its trace is in {FILE} of the data folder"
