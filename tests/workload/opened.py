"""Fails whoever opens a file that is not the program's own while an upload is read."""

from __future__ import annotations

import builtins
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = (str(ROOT / "workload"), str(ROOT / "audit"), sys.prefix, sys.base_prefix)
"""Code, and the lists of keys and defaults beside it."""


def forbid_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to open a file asks first whether it is one of the program's own."""
    for module, name in ((builtins, "open"), (io, "open"), (os, "open")):
        real = getattr(module, name)

        def guarded(path: Any, *args: Any, _real: Any = real, **named: Any) -> Any:
            where = str(path)
            assert where.startswith(OWN), f"opened {where}"
            return _real(path, *args, **named)

        monkeypatch.setattr(module, name, guarded)
