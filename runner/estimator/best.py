"""Finds the fastest neutral configuration of a file on a card: same samples per step, same maths.

Micro-batch x accumulation with their product kept are columns; every combination of the other
neutral edits (`neutral`) is a job of its own. Of equal speeds the one with the fewest edits is
taken, then the one that needs less memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from audit.records.base import Interval, Json
from audit.records.errors import MissingFacts
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from runner.estimator.card import capacity_gb
from runner.estimator.estimate import interval
from runner.estimator.from_workload import Reading, read_job
from runner.estimator.largest import MARGIN, MOST_SAMPLES
from runner.estimator.limits import count_of
from runner.estimator.neutral import neutral_edits
from runner.estimator.search import Found, Variants, project_variants
from runner.estimator.spread import pair_spread
from runner.estimator.workload_data import read_samples
from runner.estimator.workload_recipe import Notes

ALIKE = 0.01
"""Speeds nearer than this are the same."""


class Best(NamedTuple):
    """The configuration, and what it brings."""

    micro_batch: int
    accumulation: int
    checkpointing: Json
    """False, True, or the file's own mode."""
    changes: Mapping[str, Json]
    """Field -> value of every edit that leads there; empty: the file is the best already."""
    speedup: Interval
    """Speed / that of the file as written; 80% interval."""
    peak_gb: float
    high_gb: float
    tried: int
    """Configurations projected."""
    written_fits: bool
    """Whether the file as written fits with the margin."""


class _Candidate(NamedTuple):
    """One combination of edits, and its fastest sizes that fit."""

    edit: Mapping[str, Json]
    found: Found
    fits: Any


def find_best(workload: Workload, hardware: Hardware, gpus: int, nodes: int) -> Best | None:
    """The fastest neutral configuration that fits with margin; None where none does.

    Raises:
        MissingFacts: the file does not say enough, or nobody states the card's memory.
    """
    import numpy

    reading = read_job(workload, hardware, gpus, nodes)
    allowed = MARGIN * (capacity_gb(hardware) or math.inf)
    micro = count_of(workload, "per_device_train_batch_size") or 1
    product = micro * int(reading.job.accumulation)
    sizes = _divisors(product)
    written = _projected(workload, reading, [micro])
    tried = []
    for edit in neutral_edits(workload, gpus * nodes):
        run = _read(workload, edit, hardware, gpus, nodes)
        if run is not None:
            found = _projected(*run, sizes)
            tried.append(_Candidate(edit, found, found.high_gb <= allowed))
    top = max(float(numpy.where(one.fits, one.found.tokens_per_s, 0.0).max()) for one in tried)
    if not top:
        return None
    own = sizes.index(micro) if micro in sizes else -1
    one, place = min(_near(tried, (1 - ALIKE) * top), key=lambda near: _cost(near[0], near[1], own))
    ratio = float(one.found.tokens_per_s[place] / written.tokens_per_s[0])
    size = sizes[place]
    changes = dict(one.edit)
    if size != micro:
        changes["per_device_train_batch_size"] = size
        changes["gradient_accumulation_steps"] = product // size
    asked = workload.value("gradient_checkpointing", default=False)
    return Best(
        micro_batch=size,
        accumulation=product // size,
        checkpointing=one.edit.get("gradient_checkpointing", asked),
        changes=changes,
        speedup=interval(ratio, pair_spread(math.log(ratio)).speed),
        peak_gb=float(one.found.peak_gb[place]),
        high_gb=float(one.found.high_gb[place]),
        tried=len(tried) * len(sizes),
        written_fits=bool(written.high_gb[0] <= allowed),
    )


def _near(tried: list[_Candidate], least: float) -> Iterator[tuple[_Candidate, int]]:
    """Every configuration that fits and is at least that fast."""
    for one in tried:
        for place in ((one.found.tokens_per_s >= least) & one.fits).nonzero()[0]:
            yield one, int(place)


def _cost(one: _Candidate, place: int, own: int) -> tuple[int, float]:
    """Fewer edits first (`own` is the file's size), then less memory."""
    return len(one.edit) + (place != own), float(one.found.peak_gb[place])


def _read(
    workload: Workload, edit: Mapping[str, Json], hardware: Hardware, gpus: int, nodes: int
) -> tuple[Workload, Reading] | None:
    """The edited file as a job; None where the edit makes no run."""
    edited = workload.with_values(edit)
    try:
        return edited, read_job(edited, hardware, gpus, nodes)
    except MissingFacts:
        if not edit:
            raise
        return None


def _divisors(product: int) -> list[int]:
    """Micro-batches that keep the samples of a step, up to what any card could hold."""
    low = [size for size in range(1, math.isqrt(product) + 1) if product % size == 0]
    both = {*low, *(product // size for size in low)}
    return sorted(size for size in both if size <= MOST_SAMPLES)


def _projected(workload: Workload, reading: Reading, sizes: list[int]) -> Found:
    """Every size with the accumulation that keeps the product."""
    import numpy

    job = reading.job
    was = count_of(workload, "per_device_train_batch_size") or 1
    samples = [read_samples(workload, size, job.model, Notes([])) for size in sizes]
    each = numpy.array(sizes, dtype=float) / was
    columns = Variants(
        micro_batch=job.micro_batch * each,
        accumulation=job.accumulation / each,
        length=numpy.array([one.processed for one in samples]),
        longest=numpy.array([one.longest for one in samples]),
        real=numpy.array([one.efficiency for one in samples]),
        checkpointing=numpy.full(len(sizes), job.checkpointing),
    )
    return project_variants(job, columns, variable=reading.variable)
