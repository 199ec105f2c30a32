"""Finds the fastest neutral configuration of a file on a card: same samples per step, same maths.

Neutral edits only: micro-batch x accumulation with their product kept, and recomputation on or off.
Kernels, dtypes, packing and optimizers change numbers or what is learned: those are the rules'.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from audit.records.base import Interval
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from runner.estimator.card import capacity_gb
from runner.estimator.estimate import interval
from runner.estimator.from_workload import Reading, read_job
from runner.estimator.largest import MARGIN, MOST_SAMPLES
from runner.estimator.limits import count_of
from runner.estimator.search import Found, Variants, project_variants
from runner.estimator.spread import pair_spread
from runner.estimator.workload_data import read_samples
from runner.estimator.workload_recipe import Notes

ALIKE = 0.01
"""Speeds nearer than this are the same: the one that needs less memory is preferred."""


class Best(NamedTuple):
    """The configuration, and what it brings."""

    micro_batch: int
    accumulation: int
    checkpointing: bool
    speedup: Interval
    """Speed / that of the file as written; 80% interval."""
    peak_gb: float
    high_gb: float
    tried: int
    """Configurations projected."""
    written_fits: bool
    """Whether the file as written fits with the margin."""


def find_best(workload: Workload, hardware: Hardware, gpus: int, nodes: int) -> Best | None:
    """The fastest neutral configuration that fits with margin; None where none does.

    Raises:
        MissingFacts: the file does not say enough, or nobody states the card's memory.
    """
    import numpy

    reading = read_job(workload, hardware, gpus, nodes)
    capacity = capacity_gb(hardware) or math.inf
    micro = count_of(workload, "per_device_train_batch_size") or 1
    product = micro * int(reading.job.accumulation)
    sizes = _divisors(product)
    written = _projected(workload, reading, [micro], [float(reading.job.checkpointing)])
    whole = reading._replace(job=replace(reading.job, saves="blocks"))
    found = _projected(workload, whole, sizes, [0.0, 1.0])
    fits = found.high_gb <= MARGIN * capacity
    if not fits.any():
        return None
    speeds = numpy.where(fits, found.tokens_per_s, 0.0)
    near = numpy.flatnonzero(speeds >= (1 - ALIKE) * speeds.max())
    place = int(near[numpy.argmin(found.peak_gb[near])])
    ratio = float(found.tokens_per_s[place] / written.tokens_per_s[0])
    size = sizes[place % len(sizes)]
    return Best(
        micro_batch=size,
        accumulation=product // size,
        checkpointing=place >= len(sizes),
        speedup=interval(ratio, pair_spread(math.log(ratio)).speed),
        peak_gb=float(found.peak_gb[place]),
        high_gb=float(found.high_gb[place]),
        tried=len(speeds),
        written_fits=bool(written.high_gb[0] <= MARGIN * capacity),
    )


def _divisors(product: int) -> list[int]:
    """Micro-batches that keep the samples of a step, up to what any card could hold."""
    low = [size for size in range(1, math.isqrt(product) + 1) if product % size == 0]
    both = {*low, *(product // size for size in low)}
    return sorted(size for size in both if size <= MOST_SAMPLES)


def _projected(
    workload: Workload, reading: Reading, sizes: list[int], shares: list[float]
) -> Found:
    """Every size at the first share, then every size at the next."""
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
        checkpointing=numpy.zeros(len(sizes)),
    )
    repeated = Variants(*(numpy.tile(column, len(shares)) for column in columns))
    recomputed = numpy.repeat(numpy.array(shares), len(sizes))
    return project_variants(
        job, repeated._replace(checkpointing=recomputed), variable=reading.variable
    )
