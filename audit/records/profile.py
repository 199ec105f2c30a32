"""What a workload does to a GPU before anything is changed: does it fit, where the step goes."""

from __future__ import annotations

from pydantic import Field

from audit.records.base import Interval, Provenance, Record


class Fit(Record):
    """Peak memory of one variant of the workload against the card's capacity, per GPU."""

    peak_gb: float
    """1e9 bytes."""
    high_gb: float
    """One-sided 90% bound: what must be below capacity before we say that it fits."""
    share: float
    """high_gb / capacity; above 1 it does not fit."""


class Part(Record):
    """One part of a step or of the memory peak; the parts add up to the whole."""

    name: str
    value: float
    """Seconds or 1e9 bytes, as the holder says."""


class Profile(Record):
    """The profile stage's result. Rules read it; it is projected unless a real run was profiled."""

    workload: str
    """Fingerprint of the workload."""
    hardware: str
    gpus: int
    nodes: int
    provenance: Provenance
    step_s: Interval | None = None
    breakdown: tuple[Part, ...] = ()
    """Seconds of one optimizer step: gemm, attention, elementwise, loss, dequantize, launch,
    communication, optimizer, data; they add up to step_s.value."""
    memory: tuple[Part, ...] = ()
    """1e9 bytes at the peak: weights, gradients, optimizer, activations, logits, other."""
    fit: dict[str, Fit] = Field(default_factory=dict)
    """Variant -> fit: as_written, no_checkpointing, unquantized, unquantized_no_checkpointing,
    unfused_optimizer, double_micro_batch. A variant that equals the file as written is absent."""
    micro_batch_max: int | None = None
    """Largest micro batch that keeps the effective batch (accumulation divides) and fits with
    margin; equals the present one where nothing larger does."""
    timed: Provenance | None = None
    """Provenance of step_s and breakdown where a real run was profiled; None: `provenance`."""
    anchored: bool = False
    """step_s and breakdown are scaled to a stated step time."""
    assumptions: tuple[str, ...] = ()
    """What neither the file nor the caller says and the projection assumed, in plain sentences;
    and what a stated step time was used for."""
    padding_efficiency: float | None = None
    """Real tokens / processed tokens, 0 to 1; None where lengths are not known at all."""
    missing: tuple[str, ...] = ()
    """What the estimate needs and the file does not say; then step_s and fit are absent."""
    missing_reason: str | None = None
