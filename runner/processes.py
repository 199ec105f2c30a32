"""Ends a process with everything that it started, whatever sessions its children opened."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

GRACE = 2.0
"""Seconds between asking and making."""


def end_group(process: subprocess.Popen[str]) -> None:
    """End a process that leads its own group, and all that descend from it; returns when gone.

    torchrun opens a session for every rank, so the group alone would leave them behind.
    """
    family = descendants(process.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        family = sorted({*family, *descendants(process.pid)})
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        end = time.monotonic() + GRACE
        while time.monotonic() < end and (process.poll() is None or any(map(alive, family))):
            time.sleep(0.02)
        if process.poll() is not None and not any(map(alive, family)):
            return
    process.wait()


def end_family(process: subprocess.Popen[str], family: Iterable[int]) -> None:
    """Kill a process that was asked to end before, and what descends from it; return when gone.

    Args:
        process: the one; whether it has ended is looked up.
        family: what descended from it before it was asked: an ended parent names no children.
    """
    left = {*family, *(descendants(process.pid) if process.poll() is None else ())}
    if process.poll() is None:
        process.kill()
    for pid in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + GRACE
    while any(map(alive, left)) and time.monotonic() < end:
        time.sleep(0.02)


def descendants(root: int) -> list[int]:
    """Ids of all processes below `root`, as /proc tells; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(place.parent.name))
    found: list[int] = []
    left = [root]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be read by its parent does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")
