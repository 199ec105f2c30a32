"""Runs inside the job: unpacks the worker, installs what is missing, and marks every line it says.

Only the standard library is imported, nothing of ours. A log may split long lines, so the result
goes out compressed, in short parts.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

PART = 6000
"""Characters of one part: container logs split lines at 16 KiB."""


def say(mark: str, **event: Any) -> None:
    """One marked line, at once."""
    sys.stdout.write(json.dumps({"goblin": mark, **event}) + "\n")
    sys.stdout.flush()


def install(pins: dict[str, str], mark: str) -> bool:
    """Install the packages that this image does not have; whether all are there then."""
    if importlib.util.find_spec("torch") is None:
        say(mark, event="error", text="the image has no torch: name one that has")
        return False
    wanted = [pin for name, pin in pins.items() if importlib.util.find_spec(name) is None]
    if not wanted:
        return True
    say(mark, event="progress", text=f"installing {', '.join(wanted)}")
    words = ["-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", *wanted]
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PIP_BREAK_SYSTEM_PACKAGES": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        told = (done.stdout.strip().splitlines() or ["no reason"])[-1]
        say(mark, event="error", text=f"pip failed: {told[:300]}")
    return not done.returncode


def work(folder: str, mark: str) -> int:
    """Run the worker on its order and pass on what it says; the exit status."""
    words = [sys.executable, "-m", "runner.worker", "--order", str(Path(folder, "order.json"))]
    given = {**os.environ, "PYTHONPATH": folder}
    answered = False
    worker = subprocess.Popen(words, cwd=folder, env=given, stdout=subprocess.PIPE, text=True)
    for line in worker.stdout or ():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("event") == "result":
            tell(event.get("run"), mark)
            answered = True
        elif event.get("event") == "error":
            say(mark, **event)
            return 1
        else:
            say(mark, **event)
    code = worker.wait()
    return 0 if answered and not code else 1


def tell(run: Any, mark: str) -> None:
    """The result, compressed, in numbered parts with a check sum."""
    plain = json.dumps(run).encode()
    text = base64.b64encode(zlib.compress(plain, 9)).decode()
    parts = [text[at : at + PART] for at in range(0, len(text), PART)]
    for number, part in enumerate(parts):
        say(mark, event="part", n=number, of=len(parts), crc=zlib.crc32(plain), data=part)


def main() -> int:
    """Everything, in order."""
    mark = os.environ.pop("GOBLIN_MARK")
    packed = base64.b64decode(os.environ.pop("GOBLIN_PAYLOAD"))
    if not install(json.loads(os.environ.pop("GOBLIN_PINS")), mark):
        return 1
    with tempfile.TemporaryDirectory(prefix="goblin-") as folder:
        zipfile.ZipFile(io.BytesIO(packed)).extractall(folder)
        return work(folder, mark)


if __name__ == "__main__":
    sys.exit(main())
