"""Adds the parts of a footprint to the peak of one device; plain arithmetic on fitted coefficients.

Three moments can be the peak: the loss (all activations and the logits), the end of the backward
pass, and the optimizer step (all gradients, and a foreach copy of the updates).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.estimator.coefficients import Prior, fitted
from runner.estimator.footprint import Footprint
from runner.estimator.job import Job

MEMORY_PRIORS: Mapping[str, Prior] = {
    "inputs": Prior(1.1, 0.1),
    "fp32_inputs": Prior(1.9, 0.1),
    "kept": Prior(0.85, 0.15),
    "kept_frozen": Prior(0.85, 0.1),
    "block": Prior(1.15, 0.2),
    "fused": Prior(0.85, 0.1),
    "scores": Prior(1.0, 0.2),
    "logit:eager": Prior(14, 0.2),
    "logit:fused": Prior(8, 0.2),
    "logit:chunked": Prior(0.7, 0.5),
    "gathered": Prior(2.6, 0.3),
    "root": Prior(1.0, 0.3),
    "temporary": Prior(1.0, 0.05),
    "buckets": Prior(0.7, 0.3),
    "deepspeed": Prior(8.0, 0.3),
    "offloaded": Prior(0.4, 0.4),
    "context:allocated": Prior(0.2, 0.5),
    "context:reserved": Prior(0.5, 0.5),
    "context:device": Prior(1.4, 0.3),
    "meter:allocated": Prior(1.0, 0.01),
    "meter:reserved": Prior(1.05, 0.04),
    "meter:device": Prior(1.05, 0.04),
}
MEMORY_KEYED: Mapping[str, Prior] = {"held:": Prior(1.0, 0.05), "logits:": Prior(1.0, 0.35)}
"""Factors per stack: on everything, and on the logits."""


class MemoryKeys(NamedTuple):
    """Names of the coefficients that depend on the job."""

    logit: str
    context: str
    meter: str
    held: str
    logits: str


class MemoryCoefficients(NamedTuple):
    """What `project_memory` multiplies with."""

    inputs: Any
    fp32_inputs: Any
    kept: Any
    kept_frozen: Any
    block: Any
    fused: Any
    scores: Any
    logit: Any
    gathered: Any
    root: Any
    temporary: Any
    buckets: Any
    deepspeed: Any
    offloaded: Any
    context: Any
    meter: Any


class Peak(NamedTuple):
    """Parts of the peak in 1e9 bytes; they add up to it."""

    weights: Any
    gradients: Any
    optimizer: Any
    activations: Any
    logits: Any
    other: Any

    @property
    def total(self) -> Any:
        """The peak."""
        return (
            self.weights + self.gradients + self.optimizer + self.activations + self.logits
            + self.other
        )  # fmt: skip


def memory_keys(job: Job) -> MemoryKeys:
    """Which keyed coefficients a job uses."""
    kind = (
        "chunked" if job.chunked_loss else "fused" if job.fused_kernels or job.compiled else "eager"
    )
    return MemoryKeys(
        logit=f"logit:{kind}",
        context=f"context:{job.meter}",
        meter=f"meter:{job.meter}",
        held=f"held:{job.stack}",
        logits=f"logits:{job.stack}",
    )


def memory_prior(name: str) -> Prior:
    """The prior of a coefficient by its name."""
    for prefix, prior in MEMORY_KEYED.items():
        if name.startswith(prefix):
            return prior
    return MEMORY_PRIORS[name]


def memory_value(name: str) -> float:
    """A fitted coefficient, or its prior where the data never touched it."""
    found: float | None = fitted()["memory"].get(name)
    return memory_prior(name).value if found is None else found


def combine_memory(value: Any, keys: MemoryKeys) -> MemoryCoefficients:
    """Coefficients of a job; `value(name)` gives a number or a column."""
    plain = {name: value(name) for name in MemoryCoefficients._fields if name in MEMORY_PRIORS}
    return MemoryCoefficients(
        **plain,
        logit=value(keys.logit) * value(keys.logits),
        context=value(keys.context),
        meter=value(keys.meter) * value(keys.held),
    )


def project_memory(part: Footprint, c: MemoryCoefficients) -> Peak:
    """The peak of one device, part by part."""
    leaner = c.fused**part.fused
    kept = part.kept * c.kept * c.kept_frozen**part.frozen * leaner + part.kept_scores * c.scores
    inputs = (
        part.inputs * c.inputs + part.fp32_inputs * c.fp32_inputs
    ) * c.offloaded**part.offloaded
    block = part.block * c.block * leaner + part.scores * c.scores
    logits = part.logits * c.logit
    over = _positive(logits - block)  # logits and the last block's activations never coexist
    gathered = part.gathered * c.gathered + part.root * c.root
    extra = part.buckets * c.buckets + part.deepspeed * c.deepspeed
    at_loss = (
        inputs + kept + block + over + gathered + part.casts + part.kept_gradients * part.gradients
    )
    at_step = part.gradients + part.temporary * c.temporary
    stepping = _above(at_step, at_loss)  # 1 where the step is the peak
    scale = c.meter
    return Peak(
        weights=scale * part.weights,
        gradients=scale * part.gradients * (stepping + (1 - stepping) * part.kept_gradients),
        optimizer=scale * (part.states + extra + stepping * part.temporary * c.temporary),
        activations=scale * (1 - stepping) * (inputs + kept + block),
        logits=scale * (1 - stepping) * over,
        other=scale * (1 - stepping) * (gathered + part.casts) + c.context,
    )


def _positive(value: Any) -> Any:
    """The value where it is positive, else 0."""
    return (value + abs(value)) / 2


def _above(first: Any, second: Any) -> Any:
    """1 where `first` is larger, else 0."""
    return (first > second) * 1.0
