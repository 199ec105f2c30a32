"""Counts a model's parameters from its dimensions, exactly as the checkpoint holds them.

The totals of well-known checkpoints are tests of models.yaml.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from kb.catalog.models import Model


class Parameters(NamedTuple):
    """Counts. `body` and `active` are the weights of matrix products inside the layers."""

    total: int
    body: int
    """All experts and routers counted; no embedding, head, norm or bias."""
    active: int
    """Body weights that one token meets: the router and `top` experts of a mixture."""
    attention: int
    """Part of `body` in the attention projections."""
    embedding: int
    head: int
    """0 where the head shares the embedding's weights."""
    other: int
    """Norms, biases, learned positions."""


@lru_cache(maxsize=512)
def count_parameters(model: Model) -> Parameters:
    """All counts of one model."""
    attention = _attention(model) * model.layers
    mixture = model.layers - model.dense if model.experts else 0
    matrices = 3 if model.gated else 2
    dense_mlp = matrices * model.hidden * model.mlp * (model.layers - mixture)
    one_expert = matrices * model.hidden * model.expert
    always = model.hidden * (model.experts + matrices * model.shared + model.shared_gate)
    body = attention + dense_mlp + mixture * (always + model.experts * one_expert)
    active = attention + dense_mlp + mixture * (always + model.top * one_expert)
    embedding = model.vocab * model.hidden
    head = 0 if model.tied else embedding
    other = _biases(model, mixture) + _norms(model) + model.positions * model.hidden
    total = body + embedding + head + other
    return Parameters(total, body, active, attention, embedding, head, other)


def _attention(model: Model) -> int:
    """Weights of one layer's attention projections."""
    hidden, heads = model.hidden, model.heads
    if model.mla is None:
        return 2 * hidden * heads * model.head + 2 * hidden * model.kv_heads * model.head
    part = model.mla
    width = heads * (part.rope + part.nope)
    query = part.query_rank * (hidden + width) if part.query_rank else hidden * width
    down = hidden * (part.key_value_rank + part.rope)
    up = part.key_value_rank * heads * (part.nope + part.value)
    return query + down + up + heads * part.value * hidden


def _biases(model: Model, mixture: int) -> int:
    per_layer = 0
    if model.bias in ("qkv", "qkvo", "all"):
        per_layer += (model.heads + 2 * model.kv_heads) * model.head
    if model.bias in ("qkvo", "all"):
        per_layer += model.hidden
    if model.bias in ("mlp", "all"):
        per_layer += model.mlp * (2 if model.gated else 1) + model.hidden
    experts = model.experts * (1 + 2 * model.expert + model.hidden) if model.expert_bias else 0
    sinks = model.heads if model.expert_bias else 0
    return (
        (per_layer + sinks) * model.layers
        + experts * mixture
        + (model.vocab if model.head_bias else 0)
    )


def _norms(model: Model) -> int:
    weights = {"rms": 1, "layer": 2, "layer-weight": 1, "none": 0}[model.norm]
    count = model.norms * model.layers + 1 + model.embedding_norm
    per_layer = 0
    if model.qk_norm == "head":
        per_layer = 2 * model.head
    elif model.qk_norm == "full":
        per_layer = (model.heads + model.kv_heads) * model.head
    if model.mla is not None:
        per_layer += model.mla.query_rank + model.mla.key_value_rank
    return count * weights * model.hidden + per_layer * model.layers
