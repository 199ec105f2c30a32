"""Keeps finished measurements by what was measured: the same order on the same box is not rerun.

The key covers the whole order (so every setting of both arms and the variables), the worker's own
code, and the box: device, driver, versions. Only successes are kept. A file that cannot be read is
as good as absent.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from audit.records.measured import Manifest, MeasuredRun
from runner.worker.order import Order

ROOT = Path(__file__).resolve().parents[1]
_ABOUT_THE_RUN = frozenset({"load_before", "load_after", "tool", "seed", "driver"})
"""Parts of a manifest that differ between two runs of one box."""


class ResultCache:
    """Finished runs under one folder; None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def key(self, order: Order, manifest: Manifest) -> str:
        """What must agree for a result to be the same measurement."""
        what = [
            order.model_dump(mode="json"),
            manifest.model_dump(mode="json", exclude=set(_ABOUT_THE_RUN)),
            code_version(),
        ]
        return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def find(self, key: str) -> MeasuredRun | None:
        """A kept run, marked as such."""
        if self._folder is None:
            return None
        try:
            kept = MeasuredRun.model_validate_json((self._folder / f"{key}.json").read_bytes())
        except (OSError, ValidationError):
            return None
        return kept.model_copy(update={"from_cache": True})

    def keep(self, key: str, run: MeasuredRun) -> None:
        """Keep a run in which every arm has figures."""
        if self._folder is None or any(arm.failure or not arm.timed for arm in run.arms):
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._folder / f"{key}.json"
        part = place.with_suffix(".part")
        part.write_text(run.model_dump_json(), encoding="utf-8")
        part.replace(place)


@cache
def code_version() -> str:
    """Digest of everything that decides what a run does."""
    files = sorted(
        [*(ROOT / "runner/worker").rglob("*.py"), *(ROOT / "runner/translation").glob("*.py")]
    )
    digest = sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
