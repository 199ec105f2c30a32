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
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False).stdout
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit.strip() or None,
        "python": platform.python_version(),
        "device": measured.device,
        "processor": measured.processor,
        "cores": measured.cores,
        "threads": measured.threads,
        "load": round(os.getloadavg()[0], 1),
        "versions": measured.versions,
    }
