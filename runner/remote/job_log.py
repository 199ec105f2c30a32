"""Reads a job's log: only lines with our mark count, everything else there is somebody's text."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from typing import Any

from pydantic import ValidationError

from audit.records.events import StepPoint
from audit.records.measured import MeasuredRun
from runner.protocol import Progress
from runner.worker.plain import plain_line

MOST_PARTS = 4000
MOST_BYTES = 64_000_000
"""Of an unpacked result: 10,000 steps of two arms are about a tenth of it."""


class JobLog:
    """Takes the lines of one job; reading the same log again changes nothing."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._parts: dict[int, str] = {}
        self._of = self._crc = 0
        self._told: set[str] = set()
        self.error = ""
        """What the worker or the bootstrap said went wrong."""

    def take(self, line: str) -> Progress | None:
        """One line; what it says of the progress, None where nothing new."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return None  # not ours, or cut in the middle
        if not isinstance(event, dict) or event.get("goblin") != self._mark:
            return None
        kind = event.get("event")
        if kind == "part":
            self._keep(event)
            return None
        if kind == "error":
            self.error = plain_line(str(event.get("text", "")))
            return None
        if line in self._told:
            return None
        self._told.add(line)
        return _progress(event)

    def result(self) -> MeasuredRun | None:
        """The worker's result; None where the log does not hold the whole of it."""
        if not self._of or len(self._parts) != self._of:
            return None
        try:
            packed = b64decode("".join(self._parts[n] for n in range(self._of)), validate=True)
            plain = zlib.decompressobj().decompress(packed, MOST_BYTES)
            if zlib.crc32(plain) != self._crc:
                return None
            return MeasuredRun.model_validate_json(plain)
        except (ValueError, KeyError, zlib.error, ValidationError):
            return None

    def _keep(self, event: dict[str, Any]) -> None:
        number, of, data, crc = (event.get(name) for name in ("n", "of", "data", "crc"))
        if not (isinstance(number, int) and isinstance(of, int) and isinstance(crc, int)):
            return
        if isinstance(data, str) and 0 <= number < of <= MOST_PARTS:
            self._parts[number], self._of, self._crc = data, of, crc


def _progress(event: dict[str, Any]) -> Progress | None:
    point, text = event.get("point"), event.get("text")
    done, total = (
        value if isinstance(value, int) else None
        for value in (event.get("done"), event.get("total"))
    )
    try:
        step = StepPoint(**point) if isinstance(point, dict) else None
    except (ValidationError, TypeError):
        step = None
    return Progress(plain_line(text), done, total, step) if isinstance(text, str) else None
