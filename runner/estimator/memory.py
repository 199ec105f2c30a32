"""Adds the parts of a footprint to the peak of one device; plain arithmetic on fitted coefficients.

Four moments can be the peak: the loss (all activations and the logits), the backward pass of the
last layer, that of the first (all gradients by then), and the optimizer step (all gradients, and a
foreach copy of the updates).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.estimator.coefficients import Prior, fitted
from runner.estimator.footprint import Footprint
from runner.estimator.job import Job

MEMORY_PRIORS: Mapping[str, Prior] = {
    "inputs": Prior(1.05, 0.1),
    "fp32_inputs": Prior(2.0, 0.1),
    "returned": Prior(1.0, 0.1),
    "kept": Prior(1.0, 0.15),
    "block": Prior(1.7, 0.2),
    "scores": Prior(1.0, 0.2),
    "logit:eager": Prior(12, 0.2),
    "logit:half": Prior(8, 0.2),
    "logit:fused": Prior(8, 0.2),
    "logit:chunked": Prior(0.7, 0.5),
    "last": Prior(20, 0.3),
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
MEMORY_KEYED: Mapping[str, Prior] = {"held:": Prior(1.0, 0.05), "fragment:": Prior(1.3, 0.3)}
"""Factors per stack: on everything; and on what comes and goes, where lengths vary and the meter
counts what the allocator keeps: blocks of earlier lengths do not fit the next one."""


class MemoryKeys(NamedTuple):
    """Names of the coefficients that depend on the job."""

    logit: str
    context: str
    meter: str
    held: str
    fragment: str


class MemoryCoefficients(NamedTuple):
    """What `project_memory` multiplies with."""

    inputs: Any
    fp32_inputs: Any
    returned: Any
    kept: Any
    block: Any
    scores: Any
    logit: Any
    last: Any
    fragment: Any
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
    kind = "fused" if job.fused_loss else "half" if job.half_loss else "eager"
    if job.chunked_loss:
        kind = "chunked"
    return MemoryKeys(
        logit=f"logit:{kind}",
        context=f"context:{job.meter}",
        meter=f"meter:{job.meter}",
        held=f"held:{job.stack}",
        fragment=f"fragment:{job.stack}",
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
        logit=value(keys.logit),
        fragment=value(keys.fragment),
        context=value(keys.context),
        meter=value(keys.meter) * value(keys.held),
    )


def project_memory(part: Footprint, c: MemoryCoefficients) -> Peak:
    """The peak of one device, part by part."""
    broken = 1 + (c.fragment - 1) * part.varied * part.reserved
    kept = part.kept * c.kept + part.kept_scores * c.scores
    inputs = (
        part.inputs * c.inputs + part.fp32_inputs * c.fp32_inputs
    ) * c.offloaded**part.offloaded
    block = (part.block * c.block + part.scores * c.scores) * broken
    logits = (part.logits * c.logit + part.last * c.last) * broken
    gathered = part.gathered * c.gathered + part.root * c.root
    extra = part.buckets * c.buckets + part.deepspeed * c.deepspeed
    held = part.kept_gradients * part.gradients + part.summed
    # Logits and a block that is recomputed never coexist: the loss, or the backward pass
    back = block + part.returned * c.returned
    over = _positive(logits - back)
    at_loss = inputs + kept + back + over + gathered + part.casts + held
    at_end = part.gradients + part.summed + block + gathered  # the first layer's backward pass
    at_step = part.gradients + part.temporary * c.temporary
    late = _larger(at_end, at_step)
    loading = _positive(part.loaded - part.states - extra - _larger(at_loss, late))
    full = _above(late, at_loss)  # 1 where all gradients exist at the peak
    ending = full * _above(at_end, at_step)
    stepping = full - ending
    scale = c.meter
    gradients = part.gradients * (full + (1 - full) * part.kept_gradients)
    return Peak(
        weights=scale * part.weights,
        gradients=scale * (gradients + part.summed * (1 - stepping)),
        optimizer=scale * (part.states + extra + stepping * part.temporary * c.temporary),
        activations=scale * ((1 - full) * (inputs + kept + back) + ending * block),
        logits=scale * (1 - full) * over,
        other=scale * ((1 - stepping) * gathered + (1 - full) * part.casts + loading) + c.context,
    )


def _positive(value: Any) -> Any:
    """The value where it is positive, else 0."""
    return (value + abs(value)) / 2


def _larger(first: Any, second: Any) -> Any:
    """The larger one."""
    return first + _positive(second - first)


def _above(first: Any, second: Any) -> Any:
    """1 where `first` is larger, else 0."""
    return (first > second) * 1.0
