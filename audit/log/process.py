"""Which process runs an audit, and whether that very process is still alive.

A process id alone is not enough: containers restart with the same one. Linux adds the boot and the
start time from /proc (proc(5): field 22 of stat, in clock ticks after boot).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROC = Path("/proc")


def this_process() -> str:
    """`pid:start:boot` of the running process."""
    return _identity(os.getpid())


def is_alive(identity: str) -> bool:
    """Whether the process of that identity still runs on this machine."""
    pid_text, _, rest = identity.partition(":")
    if not pid_text.isdigit():
        return False
    pid = int(pid_text)
    if rest != ":":
        return _identity(pid) == identity
    return pid == os.getpid() or _runs(pid)


def _identity(pid: int) -> str:
    return f"{pid}:{_started(pid)}:{_boot()}"


def _started(pid: int) -> str:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The command name may hold spaces and brackets: the fields go on behind its last bracket.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    """Where there is no /proc; on Windows signal 0 would end the process, so it counts as gone."""
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
