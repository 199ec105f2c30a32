"""`python app.py` in a process of its own, as a Space starts it, for tests that speak HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 180
"""Importing gradio alone takes 3 to 25 s; a busy machine takes longer."""


NOT_A_SPACE = "`spaces` package is required to run hot-reloading"
"""Gradio says so in a thread of its own where SYSTEM=spaces stands but no Space is around it."""


class Served(NamedTuple):
    """A running app."""

    url: str
    log: Path
    data: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(
    folder: Path, stated: Mapping[str, str] | None = None, command: Sequence[str] = ("app.py",)
) -> Iterator[Served]:
    """The app with its own port and data folder, no keys, and the variables of `stated`."""
    port, log, data = free_port(), folder / "app.log", folder / "data"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GOBLIN_", "GRADIO_", "SPACE_", "HF_", "OAUTH_"))
        and "KEY" not in name
    }
    environment |= {"GRADIO_SERVER_PORT": str(port), "GOBLIN_DATA_DIR": str(data)}
    environment |= stated or {}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        yield Served(url, log, data)
    finally:
        process.send_signal(signal.SIGTERM)  # a shell's background jobs never see SIGINT
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    said = log.read_text()
    assert said.count("Traceback") == said.count(NOT_A_SPACE), f"the app raised: {said[-3000:]}"


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll until the app answers."""
    for _ in range(START_SECONDS * 4):
        assert process.poll() is None, f"app.py ended: {log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{url}/config", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.25)
    message = f"app.py did not answer within {START_SECONDS} s: {log.read_text()[-2000:]}"
    raise AssertionError(message)
