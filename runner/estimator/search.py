"""Projects many variants of one job at once: columns in, columns out; needs numpy.

The same functions as for one job (`work`, `throughput`, `footprint`, `memory`) run on columns, so
a searched figure equals the projected one. What cannot be a column (sharding, kernels, optimizer)
is another job: call once for each.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

from runner.estimator.coefficients import speed_keys
from runner.estimator.estimate import memory_coefficients, speed_coefficients
from runner.estimator.footprint import measure_footprint
from runner.estimator.job import Job
from runner.estimator.memory import memory_keys, project_memory
from runner.estimator.spread import spread_of
from runner.estimator.throughput import project_step
from runner.estimator.work import measure_work

Column = Any
"""A numpy array of floats, one number per variant."""


class Variants(NamedTuple):
    """What varies, column by column; the meaning is that of the fields of `Job`."""

    micro_batch: Column
    accumulation: Column
    length: Column
    longest: Column
    real: Column
    checkpointing: Column


class Found(NamedTuple):
    """The projection of every variant."""

    step_s: Column
    tokens_per_s: Column
    """Real tokens, all ranks together."""
    peak_gb: Column
    high_gb: Column
    """One-sided 90% bound of the peak."""


def project_variants(job: Job, variants: Variants, *, variable: bool = False) -> Found:
    """Step, speed and peak of every variant of a job."""
    many = replace(job, **variants._asdict())
    step = project_step(measure_work(many), speed_coefficients(speed_keys(job))).total
    peak = project_memory(measure_footprint(many), memory_coefficients(memory_keys(job))).total
    spread = spread_of(job, variable=variable)
    return Found(
        step_s=step,
        tokens_per_s=many.step_tokens * many.real / step,
        peak_gb=peak,
        high_gb=peak * math.exp(spread.memory),
    )
