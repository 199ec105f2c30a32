"""The fitted coefficients of the model, their physical priors, and which of them a job uses.

A prior is a value with a spread in log space; unseen hardware and stacks keep it. Fitted values
come from data/parameters.json, written by `runner.estimator.calibrate`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runner.estimator.job import Job

DATA = Path(__file__).parent / "data"


class Prior(NamedTuple):
    """Where a coefficient starts and how far data may pull it."""

    value: float
    spread: float
    """Standard deviation of its logarithm."""


SPEED_PRIORS: Mapping[str, Prior] = {
    # matrix products
    "gemm": Prior(0.98, 0.05),
    "saturation_tokens": Prior(223, 0.5),
    "saturation_width": Prior(421, 0.5),
    "saturation_expert": Prior(58, 0.5),
    "precision:bf16": Prior(1.0, 0.001),
    "precision:fp32": Prior(0.85, 0.15),
    "precision:tf32": Prior(0.85, 0.15),
    "precision:fp16": Prior(1.0, 0.03),
    "precision:fp8": Prior(0.93, 0.10),
    "precision:fp8_rowwise": Prior(0.70, 0.15),
    "precision:mxfp8": Prior(0.88, 0.10),
    "precision:nvfp4": Prior(0.71, 0.15),
    # attention kernels: forward and backward rate relative to matrix products
    "attention_forward": Prior(0.45, 0.2),
    "attention_backward": Prior(0.40, 0.2),
    "attention_reach": Prior(363, 0.5),
    "attention:Ampere": Prior(1.0, 0.05),
    "attention:Hopper": Prior(0.65, 0.25),
    "attention:Blackwell": Prior(1.0, 0.25),
    "attention:CDNA": Prior(0.69, 0.25),
    "attention:RDNA": Prior(0.5, 0.4),
    "attention:Ada": Prior(0.9, 0.2),
    "attention:old": Prior(0.5, 0.3),
    # memory traffic
    "bandwidth": Prior(0.75, 0.1),
    "elementwise": Prior(0.75, 0.25),
    "fused": Prior(0.70, 0.2),
    "compiled": Prior(0.60, 0.2),
    "kbit": Prior(1.8, 0.2),
    "eager": Prior(1.1, 0.2),
    "loss": Prior(13, 0.2),
    "chunked": Prior(0.5, 0.3),
    "dequantize": Prior(1.0, 0.2),
    "optimizer": Prior(1.0, 0.2),
    "deepspeed": Prior(1.0, 0.3),
    # launches, seconds
    "layer": Prior(0.0024, 0.3),
    "adapter": Prior(0.0001, 0.4),
    "sharded_adapter": Prior(0.008, 0.4),
    "sharded_fused": Prior(0.5, 0.3),
    "micro": Prior(0.004, 0.5),
    "step": Prior(0.012, 0.5),
    "expert_launch": Prior(0.00025, 0.4),
    "routing": Prior(0.003, 0.5),
    "launch_compiled": Prior(0.4, 0.3),
    # communication: share that compute does not hide
    "gather_exposed": Prior(0.6, 0.3),
    "gather_excess": Prior(0.5, 0.3),
    "zero3": Prior(1.8, 0.3),
    "tensor_exposed": Prior(0.6, 0.3),
    "tensor_overlapped": Prior(0.7, 0.2),
    "expert_near": Prior(0.6, 0.3),
    "expert_far": Prior(0.3, 0.4),
    "deep_ep": Prior(0.6, 0.3),
    "reduce_exposed": Prior(0.45, 0.3),
    "bubble": Prior(1.0, 0.1),
}
KEYED_PRIORS: Mapping[str, Prior] = {
    "hardware:": Prior(1.0, 0.12),
    "stack:": Prior(1.0, 0.15),
    "launch:": Prior(1.0, 0.3),
    "cell:": Prior(1.0, 0.06),
    "experts:": Prior(0.5, 0.3),
}
"""Factors per card, per stack, per stack for launches, per (stack, card, method); and the rate of
expert products relative to dense ones, per stack and kernel."""


class Coefficients(NamedTuple):
    """What `throughput` multiplies with; numbers, or columns of numbers in the calibration."""

    gemm: Any
    saturation_tokens: Any
    saturation_width: Any
    saturation_expert: Any
    experts: Any
    precision: Any
    attention_forward: Any
    attention_backward: Any
    attention_reach: Any
    bandwidth: Any
    elementwise: Any
    fused: Any
    compiled: Any
    kbit: Any
    eager: Any
    loss: Any
    chunked: Any
    dequantize: Any
    optimizer: Any
    deepspeed: Any
    layer: Any
    adapter: Any
    sharded_adapter: Any
    sharded_fused: Any
    micro: Any
    step: Any
    expert_launch: Any
    routing: Any
    launch_compiled: Any
    gather_exposed: Any
    gather_excess: Any
    zero3: Any
    tensor_exposed: Any
    tensor_overlapped: Any
    expert_near: Any
    expert_far: Any
    deep_ep: Any
    reduce_exposed: Any
    bubble: Any


class Keys(NamedTuple):
    """Names of the coefficients that depend on the job."""

    precision: str
    attention: str
    experts: str
    hardware: str
    stack: str
    launch: str
    cell: str


def speed_keys(job: Job) -> Keys:
    """Which keyed coefficients a job uses."""
    generation = job.hardware.generation
    attention = "attention:old"
    if generation[:4] in ("CDNA", "RDNA"):
        attention = f"attention:{generation[:4]}"
    elif f"attention:{generation}" in SPEED_PRIORS:
        attention = f"attention:{generation}"
    method = "full" if job.trained else ("lora" if job.base == "plain" else "qlora")
    return Keys(
        precision=f"precision:{job.precision}",
        attention=attention,
        experts=f"experts:{job.stack if job.fast_experts else 'looped'}",
        hardware=f"hardware:{job.hardware.id}",
        stack=f"stack:{job.stack}",
        launch=f"launch:{job.stack}",
        cell=f"cell:{job.stack}:{job.hardware.id}:{method}",
    )


def prior_of(name: str) -> Prior:
    """The prior of any coefficient by its name."""
    for prefix, prior in KEYED_PRIORS.items():
        if name.startswith(prefix):
            return prior
    return SPEED_PRIORS.get(name, Prior(1.0, 0.1))


def combine(value: Any, keys: Keys) -> Coefficients:
    """Coefficients of a job (or of many); `value(name)` gives a number or a column."""
    rate = value(keys.hardware) * value(keys.stack) * value(keys.cell)
    attention = value(keys.attention)
    launch = value(keys.launch)
    plain = {
        name: value(name)
        for name in Coefficients._fields
        if name in SPEED_PRIORS and name != "gemm"
    }
    plain |= {
        "gemm": value("gemm") * rate,
        "precision": value(keys.precision),
        "experts": value(keys.experts),
        "attention_forward": plain["attention_forward"] * attention * rate,
        "attention_backward": plain["attention_backward"] * attention * rate,
        "layer": plain["layer"] * launch,
        "adapter": plain["adapter"] * launch,
        "sharded_adapter": plain["sharded_adapter"] * launch,
        "routing": plain["routing"] * launch,
        "micro": plain["micro"] * launch,
        "step": plain["step"] * launch,
    }
    return Coefficients(**plain)


@cache
def fitted() -> Mapping[str, Any]:
    """Everything that the calibration wrote."""
    text = (DATA / "parameters.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def speed_value(name: str) -> float:
    """A fitted coefficient, or its prior where the data never touched it."""
    found: float | None = fitted()["speed"].get(name)
    return prior_of(name).value if found is None else found
