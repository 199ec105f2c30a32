"""The command line as a test speaks to it.

`goblin` is a process of its own; the fixture `said` (`conftest`) calls the same entry point in the
test's process, where a hundred starts of an interpreter would only cost time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "agent"]


def goblin(
    *arguments: object, stdin: bytes = b"", cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=environment,
        timeout=60,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


Said = Callable[..., subprocess.CompletedProcess[str]]


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one message of a command that blames its input."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("goblin: ")
    return message
