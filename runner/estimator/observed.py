"""Loads our copy of the published figures as jobs with what was observed; calibration only.

A configuration is kept with the reason why a figure of it is doubtful (`left_out`); such figures
are answered like any other but never fitted. `scope` is core (dense, every token real and counted),
exact (also mixtures and odd recipes) or variable (lengths vary and are not published).
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from runner.estimator.coefficients import DATA
from runner.estimator.job import Job
from runner.estimator.points import GIB, step_from_speed
from runner.estimator.published import read_row

FOLDS = 5


@dataclass(frozen=True)
class Observation:
    """One published configuration."""

    id: str
    job: Job
    scope: str
    variable: bool
    source: str
    """Repository or page."""
    group: str
    """Repeated runs of one card, model and device count stay on one side of a split."""
    step_s: float | None
    memory_gb: float | None

    @property
    def fold(self) -> int:
        """Which fifth of the cross-validation holds it."""
        return zlib.crc32(self.group.encode()) % FOLDS


@dataclass(frozen=True)
class PublishedPair:
    """Two configurations that a source holds against each other."""

    before: str
    after: str
    memory: bool
    ratio: float
    """after / before, in the source's metric."""


def load_observations() -> tuple[tuple[Observation, ...], tuple[PublishedPair, ...]]:
    """All usable configurations and pairs."""
    data: dict[str, Any] = json.loads((DATA / "published.json").read_text(encoding="utf-8"))
    found = []
    for config in data["configs"]:
        row = {**config, "source_url_or_repo_path": config["source"]}
        reading = read_row(row)
        if reading.job is not None and "left_out" not in row:
            found.append(_observation(row, reading.job, variable=reading.variable))
    pairs = tuple(
        PublishedPair(before, after, metric == "peak_mem_gb", ratio)
        for before, after, metric, _, ratio in data["pairs"]
    )
    return tuple(found), pairs


def _observation(row: dict[str, Any], job: Job, *, variable: bool) -> Observation:
    memory = row.get("peak_mem_gb")
    if memory is None and "peak_mem_gib" in row:
        memory = row["peak_mem_gib"] * GIB
    source = row["source"].split("@")[0]
    group = f"{source}|{row['hardware']}|{row['model']}|{row['n_gpus']}"
    return Observation(
        id=row["id"],
        job=job,
        scope=row["scope"],
        variable=variable,
        source=source,
        group=group,
        step_s=_step(row, job),
        memory_gb=None if "memory_left_out" in row else memory,
    )


def _step(row: dict[str, Any], job: Job) -> float | None:
    for metric in ("tokens_per_s_per_gpu", "step_s", "samples_per_s"):
        if metric in row:
            return step_from_speed(row, job, metric, row[metric])
    return None
