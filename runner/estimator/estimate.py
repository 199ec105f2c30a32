"""Projects one job: seconds of a step and bytes of the peak, with parts and 80% intervals.

`project` is the model itself; `estimate_workload` is its face for a user's file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from audit.records.base import Interval
from audit.records.profile import Part
from audit.records.spec import Anchor
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from runner.estimator.anchor import Scale, scale_of
from runner.estimator.coefficients import Coefficients, Keys, combine, speed_keys, speed_value
from runner.estimator.flops import model_flops
from runner.estimator.footprint import measure_footprint
from runner.estimator.from_workload import read_job
from runner.estimator.job import Job
from runner.estimator.memory import (
    MemoryCoefficients,
    MemoryKeys,
    Peak,
    combine_memory,
    memory_keys,
    memory_value,
    project_memory,
)
from runner.estimator.spread import Spread, spread_of
from runner.estimator.throughput import Seconds, project_step
from runner.estimator.work import measure_work


class Projection(NamedTuple):
    """The model's answer for one job."""

    job: Job
    seconds: Seconds
    peak: Peak
    spread: Spread


@dataclass(frozen=True, slots=True)
class Estimate:
    """A projection of a user's workload in the units of `Metrics`."""

    job: Job
    step_s: Interval
    tokens_per_s_per_gpu: Interval
    """Real (not padding) tokens."""
    tokens_per_s: Interval
    samples_per_s: Interval
    mfu: Interval | None
    """None where nobody states the card's peak for the compute dtype."""
    peak_memory_gb: Interval
    """1e9 bytes allocated on the fullest device."""
    padding_efficiency: float
    breakdown: tuple[Part, ...]
    memory: tuple[Part, ...]
    anchored: bool
    """Speeds are scaled to a stated step time."""
    assumptions: tuple[str, ...]
    """What neither the file nor the caller says, in plain sentences."""


def project(job: Job, *, variable: bool = False) -> Projection:
    """Step and peak of one job; `variable`: lengths vary and nobody states them."""
    return Projection(
        job=job,
        seconds=project_step(measure_work(job), speed_coefficients(speed_keys(job))),
        peak=project_memory(measure_footprint(job), memory_coefficients(memory_keys(job))),
        spread=spread_of(job, variable=variable),
    )


def project_peak(job: Job) -> float:
    """The peak of one job alone, 1e9 bytes; for searches over memory."""
    return float(
        project_memory(measure_footprint(job), memory_coefficients(memory_keys(job))).total
    )


def estimate_workload(
    workload: Workload,
    hardware: Hardware,
    gpus: int,
    nodes: int,
    anchor: Anchor | None = None,
) -> Estimate:
    """What the file does on `nodes` machines with `gpus` of these cards each.

    Args:
        workload: the file.
        hardware: the card.
        gpus: cards per machine.
        nodes: machines.
        anchor: a stated step time to which speeds are scaled.

    Raises:
        MissingFacts: the model's dimensions or another figure that decides are not known.
    """
    reading = read_job(workload, hardware, gpus, nodes)
    found = project(reading.job, variable=reading.variable)
    scale = scale_of(anchor, hardware, gpus, nodes) if anchor else None
    return _estimate(anchored(found, scale), reading.assumptions, anchored=scale is not None)


def anchored(found: Projection, scale: Scale | None) -> Projection:
    """The projection with its seconds scaled to a stated step time; memory stays."""
    if scale is None:
        return found
    half = scale.half_width(float(found.seconds.total))
    spread = found.spread._replace(speed=half)
    return found._replace(seconds=scale.seconds(found.seconds), spread=spread)


def _estimate(found: Projection, assumptions: tuple[str, ...], *, anchored: bool) -> Estimate:
    job, half = found.job, found.spread.speed
    step = float(found.seconds.total)
    tokens = job.step_tokens * job.real / step
    each = tokens / job.layout.gpus
    peak = float(found.peak.total)
    return Estimate(
        job=job,
        step_s=interval(step, half),
        tokens_per_s_per_gpu=interval(each, half),
        tokens_per_s=interval(tokens, half),
        samples_per_s=interval(
            job.micro_batch * job.accumulation * job.layout.replicas / step, half
        ),
        mfu=_mfu(job, each, half),
        peak_memory_gb=interval(peak, found.spread.memory),
        padding_efficiency=job.real,
        breakdown=step_parts(found.seconds),
        memory=memory_parts(found.peak),
        anchored=anchored,
        assumptions=assumptions,
    )


def interval(value: float, half: float) -> Interval:
    """From value / exp(half) to value x exp(half)."""
    factor = math.exp(half)
    return Interval(low=value / factor, value=value, high=value * factor)


def step_parts(seconds: Seconds) -> tuple[Part, ...]:
    """Seconds of one optimizer step; `data` is neutral: no source gives a figure for loaders."""
    parts = [Part(name=name, value=float(value)) for name, value in seconds._asdict().items()]
    return (*parts, Part(name="data", value=0.0))


def memory_parts(peak: Peak) -> tuple[Part, ...]:
    """1e9 bytes at the peak."""
    return tuple(Part(name=name, value=float(value)) for name, value in peak._asdict().items())


def _mfu(job: Job, tokens_per_s_per_gpu: float, half: float) -> Interval | None:
    dtype = {"mxfp8": "fp8", "nvfp4": "fp4"}.get(job.precision, job.precision)
    peak = job.hardware.peak_tflops.get(dtype)
    if not peak:
        return None
    per_token = model_flops(job.model, job.covered, trained=job.trained)
    return interval(tokens_per_s_per_gpu * per_token / (peak * 1e12), half)


@lru_cache(maxsize=512)
def speed_coefficients(keys: Keys) -> Coefficients:
    """The fitted coefficients of jobs with these keys."""
    return combine(speed_value, keys)


@lru_cache(maxsize=512)
def memory_coefficients(keys: MemoryKeys) -> MemoryCoefficients:
    """The fitted memory coefficients of jobs with these keys."""
    return combine_memory(memory_value, keys)
