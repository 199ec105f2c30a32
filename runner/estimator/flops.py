"""Counts floating-point operations per token and bytes per recipe, in closed form.

Conventions (every count is per real token, causal attention at half):
  forward  = 2 x (active body weights + head) + 2 x length x heads x head dimension x layers
  full     = 3 x forward
  adapters = 2 x linear + 3 x attention + 6 x adapter parameters
  checkpointing adds one more forward of body and attention (not of the head) and 2 x adapters.
Twenty cases computed both by these formulas and by enumerating every tensor are tests.
"""

from __future__ import annotations

from typing import NamedTuple

from kb.catalog.models import Model
from kb.catalog.parameters import count_parameters
from runner.estimator.columns import at_least, at_most


class Flops(NamedTuple):
    """Operations per token."""

    body: float
    """One forward pass through the matrices of the layers."""
    head: float
    attention: float
    """Scores and values, causal half."""

    @property
    def forward(self) -> float:
        """One forward pass."""
        return self.body + self.head + self.attention


def attended(model: Model, length: float) -> float:
    """Mean number of tokens that a layer may look back at: less than `length` with a window."""
    if not model.window:
        return length
    share = 1 / model.window_every if model.window_every else 0.0
    windowed = 2 * model.window * (1 - model.window / (2 * at_least(length, model.window)))
    mean: float = share * length + (1 - share) * at_most(length, windowed)
    return mean


def attention_width(model: Model) -> float:
    """Heads x head dimension, as scores and values see it (their mean where they differ)."""
    if model.mla is None:
        return model.heads * model.head
    return model.heads * (model.mla.rope + model.mla.nope + model.mla.value) / 2


def count_flops(model: Model, length: float) -> Flops:
    """Forward operations per token of a sequence of `length` tokens."""
    parameters = count_parameters(model)
    reach = attended(model, length) * (1 if model.causal else 2)
    return Flops(
        body=2.0 * parameters.active,
        head=2.0 * model.vocab * model.hidden,
        attention=2.0 * reach * attention_width(model) * model.layers,
    )


def count_training(
    model: Model, length: float, *, adapters: int | None = None, checkpointing: float = 0.0
) -> float:
    """Operations per token of forward and backward pass; `adapters` None trains every weight."""
    once = count_flops(model, length)
    again = checkpointing * (once.body + once.attention)
    if adapters is None:
        return 3 * once.forward + again
    linear = once.body + once.head
    return 2 * linear + 3 * once.attention + 6 * adapters + again + checkpointing * 2 * adapters


def model_flops(model: Model, length: float, *, trained: bool) -> float:
    """What MFU counts per token: no recomputation, no adapters; 3 or 2 passes of the matrices."""
    once = count_flops(model, length)
    return (3 if trained else 2) * (once.body + once.head) + 3 * once.attention


class Bytes(NamedTuple):
    """Memory of one recipe before sharding."""

    weights: int
    gradients: int
    optimizer: int


def full_bytes(model: Model, *, weight: int, master: int, gradient: int, state: int) -> Bytes:
    """Bytes when every weight is trained, from bytes per weight of each kind."""
    total = count_parameters(model).total
    return Bytes(total * (weight + master), total * gradient, total * state)


def adapter_bytes(model: Model, adapters: int, *, nf4: bool) -> Bytes:
    """Bytes of frozen bf16 (or nf4) weights with fp32 adapters under AdamW.

    nf4 holds 4 bits per body weight and one fp32 scale per 64; everything else stays bf16.
    """
    counts = count_parameters(model)
    if nf4:
        frozen = counts.body // 2 + counts.body * 4 // 64 + 2 * (counts.total - counts.body)
    else:
        frozen = 2 * counts.total
    return Bytes(frozen + 4 * adapters, 4 * adapters, 8 * adapters)
