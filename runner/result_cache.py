"""Keeps finished measurements by what was measured: the same order on the same box is not rerun.

The key covers the whole order (so every setting of both arms and their variables), the worker's
own code, and where it runs: the runner's name, so that kinds never mix, and the box (device,
driver, versions, the variables that its libraries read) or the rented machine. Only successes are
kept. A file that cannot be read is as good as absent.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from audit.records.measured import Manifest, MeasuredRun
from runner.statistics import BLOCK
from runner.worker.order import Order

ROOT = Path(__file__).resolve().parents[1]
LEAST_ROUNDS = 2 * BLOCK
"""Fewer give no interval."""
FROM_CACHE = "from cache, costs nothing"
"""What a runner says of a run whose result is kept."""
_ABOUT_THE_RUN = frozenset({"load_before", "load_after", "tool", "seed"})
"""Parts of a manifest that differ between two runs of one box."""


class ResultCache:
    """Finished runs under one folder; None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._found: dict[str, MeasuredRun] = {}

    def key(self, order: Order, runner: str, where: Mapping[str, object]) -> str:
        """What must agree for a result to be the same measurement."""
        what = [order.model_dump(mode="json"), runner, where, code_version()]
        return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    def find(self, key: str) -> MeasuredRun | None:
        """A kept run, marked as such.

        What was found once is found again though its file went away meanwhile: whoever was told
        that a run costs nothing is not billed for it after all.
        """
        if self._folder is None:
            return None
        if key not in self._found:
            kept = self._read(key)
            if kept is None:
                return None
            self._found[key] = kept
        return self._found[key]

    def _read(self, key: str) -> MeasuredRun | None:
        if self._folder is None:
            return None
        try:
            kept = MeasuredRun.model_validate_json((self._folder / f"{key}.json").read_bytes())
        except (OSError, ValidationError):
            return None
        return kept.model_copy(update={"from_cache": True})

    def keep(self, key: str, run: MeasuredRun) -> None:
        """Keep a run in which every arm has figures, enough of them for an interval.

        One that its budget cut short says nothing, and a quieter hour might say more.
        """
        if self._folder is None or not _whole(run):
            return
        place = self._folder / f"{key}.json"
        part = place.with_suffix(f".{uuid4().hex}.part")
        with contextlib.suppress(OSError):  # a full disk must not cost the result itself
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(run.model_dump_json(), encoding="utf-8")
            part.replace(place)


def _whole(run: MeasuredRun) -> bool:
    if run.stopped == "failed" or any(arm.failure or not arm.timed for arm in run.arms):
        return False
    least = LEAST_ROUNDS if run.stopped == "budget_used" else 1
    return all(len({row.round for row in arm.timed}) >= least for arm in run.arms)


def box_of(manifest: Manifest) -> dict[str, object]:
    """A box by what stays the same between two of its runs: device, versions, cores."""
    return manifest.model_dump(mode="json", exclude=set(_ABOUT_THE_RUN))


@cache
def code_version() -> str:
    """Digest of everything that decides what a run does."""
    files = sorted(
        [
            *(ROOT / "runner/worker").rglob("*.py"),
            *(ROOT / "runner/translation").glob("*.py"),
            ROOT / "runner/statistics.py",  # the stop rule
        ]
    )
    digest = sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
