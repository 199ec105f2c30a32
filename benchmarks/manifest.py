"""On what a benchmark's results were made: device, versions, commit; no names of hosts or paths."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.records.measured import Manifest

ROOT = Path(__file__).resolve().parents[1]


def manifest_of(measured: Manifest) -> dict[str, Any]:
    """As JSON, to stand beside results."""
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "python": platform.python_version(),
        "device": measured.device,
        "processor": measured.processor,
        "cores": measured.cores,
        "threads": measured.threads,
        "load": round(os.getloadavg()[0], 1),
        "versions": measured.versions,
    }


def frozen_at(file: str) -> str | None:
    """The commit that changed a file last; None where it has changes that no commit holds."""
    if _git("status", "--porcelain", "--", file):
        return None
    return _git("log", "-1", "--format=%h", "--", file)


def _git(*words: str) -> str | None:
    """What git says, None where it says nothing."""
    asked = subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    return asked.stdout.strip() or None
