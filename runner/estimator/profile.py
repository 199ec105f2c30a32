"""The profile stage: does the workload fit, where does its step go, and what else would fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from audit.records.errors import MissingFacts
from audit.records.profile import Fit, Profile
from audit.records.spec import Anchor
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from runner.estimator.anchor import scale_of
from runner.estimator.card import capacity_gb
from runner.estimator.estimate import (
    Projection,
    anchored,
    interval,
    memory_parts,
    project,
    step_parts,
)
from runner.estimator.from_workload import Reading, read_job, with_samples
from runner.estimator.job import Job, Optimizer
from runner.estimator.largest import MARGIN
from runner.estimator.workload_data import read_samples
from runner.estimator.workload_recipe import Notes


def profile_workload(
    workload: Workload,
    hardware: Hardware,
    gpus: int,
    nodes: int,
    anchor: Anchor | None = None,
) -> Profile:
    """What the estimator expects; where facts are missing it names them and holds no figure."""
    asked = Profile(
        workload=workload.fingerprint,
        hardware=hardware.id,
        gpus=gpus,
        nodes=nodes,
        provenance="projected",
    )
    try:
        reading = read_job(workload, hardware, gpus, nodes)
    except MissingFacts as missing:
        return asked.model_copy(update={"missing": missing.missing, "missing_reason": str(missing)})
    found = project(reading.job, variable=reading.variable)
    scale = scale_of(anchor, hardware, gpus, nodes) if anchor else None
    found = anchored(found, scale)
    update = {
        "anchored": scale is not None,
        "assumptions": reading.assumptions,
        "step_s": interval(float(found.seconds.total), found.spread.speed),
        "breakdown": step_parts(found.seconds),
        "memory": memory_parts(found.peak),
        "padding_efficiency": reading.job.real,
    }
    capacity = capacity_gb(hardware)
    if capacity:
        update["fit"] = {
            name: _fit(one, capacity) for name, one in _variants(workload, reading, found)
        }
        update["micro_batch_max"] = _largest_batch(workload, reading, capacity)
    return asked.model_copy(update=update)


def high_gb(found: Projection) -> float:
    """One-sided 90% bound of the peak: the upper end of the 80% interval."""
    return float(found.peak.total) * math.exp(found.spread.memory)


def _fit(found: Projection, capacity: float) -> Fit:
    high = high_gb(found)
    return Fit(peak_gb=float(found.peak.total), high_gb=high, share=high / capacity)


def _variants(
    workload: Workload, reading: Reading, found: Projection
) -> Iterator[tuple[str, Projection]]:
    """The file as written and what rules ask about; variants that change nothing are left out."""
    job = reading.job
    yield "as_written", found
    plain = replace(job, base="plain", kbit_prepared=False)
    if job.checkpointing:
        yield "no_checkpointing", project(_kept(job), variable=reading.variable)
    if job.base != "plain":
        yield "unquantized", project(plain, variable=reading.variable)
        if job.checkpointing:
            yield "unquantized_no_checkpointing", project(_kept(plain), variable=reading.variable)
    optimizer = _plain_optimizer(job)
    if optimizer != job.optimizer:
        yield (
            "unfused_optimizer",
            project(replace(job, optimizer=optimizer), variable=reading.variable),
        )
    micro = int(workload.value("per_device_train_batch_size"))
    yield (
        "double_micro_batch",
        project(_batched(workload, reading, 2 * micro), variable=reading.variable),
    )


def _kept(job: Job) -> Job:
    """Without checkpointing: every activation is kept."""
    return replace(job, checkpointing=0.0, offloaded_activations=False)


def _plain_optimizer(job: Job) -> Optimizer:
    """AdamW with two states of full width in a foreach loop: what an optimizer can need at most."""
    wide = job.weight_bytes == 4 or job.master_bytes
    return Optimizer(state_bytes=8.0 if wide else 4.0)


def _batched(workload: Workload, reading: Reading, micro: int) -> Job:
    """The job with another micro-batch and the accumulation that keeps their product."""
    was = int(workload.value("per_device_train_batch_size"))
    samples = read_samples(workload, micro, reading.job.model, Notes([]))
    job = with_samples(reading, samples)
    return replace(
        job,
        micro_batch=job.micro_batch * micro / was,
        accumulation=max(1.0, job.accumulation * was / micro),
    )


def _largest_batch(workload: Workload, reading: Reading, capacity: float) -> int:
    """Largest power-of-two multiple that divides micro x accumulation and fits with margin."""
    micro = int(workload.value("per_device_train_batch_size"))
    product = micro * int(reading.job.accumulation)
    best, trial = micro, 2 * micro
    while trial <= product and product % trial == 0:
        found = project(_batched(workload, reading, trial), variable=reading.variable)
        if high_gb(found) > MARGIN * capacity:
            break
        best, trial = trial, 2 * trial
    return best
