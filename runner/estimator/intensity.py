"""What a step does on one device: operations, and bytes that cross its memory; for a roofline.

Operations are those executed, recomputation included, attention at its causal half. Bytes are those
that the projection charges (element-wise work, loss, unpacking, optimizer) and the weights, read
once per pass; activations between matrix products of one kernel are not counted, as nobody knows
what a cache holds. So an intensity is an upper end, and the same count for both files compared.
"""

from __future__ import annotations

from typing import NamedTuple

from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from kb.catalog.parameters import count_parameters
from runner.estimator.card import read_card
from runner.estimator.coefficients import speed_keys
from runner.estimator.estimate import speed_coefficients
from runner.estimator.flops import count_flops, count_training
from runner.estimator.from_workload import read_job
from runner.estimator.job import Job
from runner.estimator.throughput import project_step
from runner.estimator.work import measure_work

PEAK_OF = {"mxfp8": "fp8", "fp8_rowwise": "fp8", "nvfp4": "fp4"}
"""Precision -> the dtype whose peak the card's maker states."""


class Operating(NamedTuple):
    """One optimizer step on one device."""

    flops: float
    moved: float
    """Bytes."""
    dtype: str
    peak_tflops: float | None
    """Of that dtype, dense; None where nobody states it."""
    bandwidth_tb_s: float | None
    """As the maker states it."""

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.flops / self.moved


def operating_point(workload: Workload, hardware: Hardware, gpus: int, nodes: int) -> Operating:
    """Operations and bytes of a file's step on these cards.

    Raises:
        MissingFacts: the file does not say enough for a projection.
    """
    job = read_job(workload, hardware, gpus, nodes).job
    dtype = PEAK_OF.get(job.precision, job.precision)
    return Operating(
        flops=_flops(job),
        moved=_moved(job),
        dtype=dtype,
        peak_tflops=hardware.peak_tflops.get(dtype),
        bandwidth_tb_s=hardware.bandwidth_tb_s,
    )


def _flops(job: Job) -> float:
    adapters = job.adapter.parameters if job.adapter else None
    each = count_training(
        job.model, job.covered, adapters=adapters, checkpointing=job.checkpointing
    )
    each += job.extra_forward * count_flops(job.model, job.covered).forward
    split = job.layout.tensor * job.layout.pipeline
    return each * job.micro_tokens * job.accumulation / split


def _moved(job: Job) -> float:
    """Bytes: what the projection charges at the fitted rates, and the weights of every pass."""
    c, work = speed_coefficients(speed_keys(job)), measure_work(job)
    seconds = project_step(work, c)
    memory = 1e12 * read_card(job.hardware).bandwidth
    charged = (seconds.elementwise + seconds.loss + seconds.dequantize) * c.bandwidth * memory
    charged += work.optimizer * c.optimizer * memory
    return float(charged + _weights(job))


def _weights(job: Job) -> float:
    """Every pass reads the weights; unpacking already counts those that are quantized."""
    counts = count_parameters(job.model)
    read = counts.total if job.base == "plain" else counts.total - counts.body
    passes = 2 + job.trained + job.checkpointing + job.extra_forward
    width = 4 if job.precision in ("fp32", "tf32") else 2
    split = job.layout.tensor * job.layout.pipeline
    return passes * width * read * job.accumulation / split
