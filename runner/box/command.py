"""Runs one tool of the machine with a time limit and gives its text, or None."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from audit.records.base import Json

QUICK, PATIENT = 2.0, 20.0
"""Seconds that a tool may take: before an audit, and where the user asked about the box."""


def has_tool(name: str) -> bool:
    """Whether the tool's binary is on PATH; costs no process."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return any(os.access(Path(folder, name), os.X_OK) for folder in folders if folder)


def run_tool(words: Sequence[str], limit: float) -> str | None:
    """What the tool prints; None where it is absent, fails, or takes longer than `limit` seconds.

    Its errors are not shown: a tool that does not answer is a fact about the box, told by the
    caller.
    """
    if not (os.sep in words[0] or has_tool(words[0])):
        return None
    import subprocess  # 5 ms that only a box with such a tool pays

    try:
        done = subprocess.run(
            list(words),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=limit,
            text=True,
            errors="replace",
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout if done.returncode == 0 else None


def run_json(words: Sequence[str], limit: float) -> Json:
    """The JSON that a tool prints; None where there is none. Warnings before it are skipped."""
    text = run_tool(words, limit) or ""
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    if not starts:
        return None
    try:
        return json.loads(text[min(starts) :])
    except ValueError:
        return None
