"""Counts the parameters of low-rank adapters from the names of the adapted modules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from kb.catalog.models import Model

_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "q": ("q",), "k": ("k",), "v": ("v",), "o": ("o",), "qkv": ("qkv",),
        "gate": ("gate",), "up": ("up",), "down": ("down",), "gate_up": ("gate_up",),
        "attention": ("q", "k", "v", "o"), "mlp": ("gate", "up", "down"),
        "all": ("q", "k", "v", "o", "gate", "up", "down"),
    }
)  # fmt: skip
_SPELLINGS = (
    ("qkv", r"qkv(_proj)?|wqkv|c_attn|query_key_value|w_pack|attn\.qkv"),
    ("gate_up", r"gate_up_proj"),
    ("q", r"q(_proj)?|wq|query(_proj)?|q_a_proj|q_b_proj"),
    ("k", r"k(_proj)?|wk|key(_proj)?"),
    ("v", r"v(_proj)?|wv|value(_proj)?"),
    ("o", r"o(_proj)?|wo|out_proj|output_proj|dense|attn\.c_proj|attention\.dense"),
    ("gate", r"gate(_proj)?|w1"),
    ("up", r"up(_proj)?|w3|fc1|fc_in|c_fc|dense_h_to_4h"),
    ("down", r"down(_proj)?|w2|fc2|fc_out|mlp\.c_proj|dense_4h_to_h"),
    ("attention", r"attn|self_attn|attention"),
    ("mlp", r"mlp|feed_forward|ffn"),
    ("all", r"all|all-linear|all_linear"),
)
_PATTERNS = tuple((part, re.compile(rf"(?:.*\.)?(?:{names})", re.I)) for part, names in _SPELLINGS)


class AdapterSize(NamedTuple):
    """Size of the adapters over the whole model."""

    parameters: int
    modules: int
    """Adapted linear layers per block."""
    inputs: int
    """Values per token that these layers read, per block."""
    unknown: tuple[str, ...]
    """Module names that were not understood; they are not counted."""


@lru_cache(maxsize=1024)
def count_adapters(model: Model, rank: int, targets: tuple[str, ...]) -> AdapterSize:
    """Parameters of adapters of one rank: rank x (in + out) of every adapted linear.

    In mixtures of experts only attention is counted: libraries do not adapt fused experts.
    """
    parts: set[str] = set()
    unknown = []
    for target in targets:
        found = next((part for part, names in _PATTERNS if names.fullmatch(target.strip())), None)
        if found is None:
            unknown.append(target)
        else:
            parts.update(_PARTS[found])
    shapes = _shapes(model)
    adapted = [shapes[part] for part in sorted(parts) if part in shapes]
    per_block = rank * sum(sum(shape) for shape in adapted)
    inputs = sum(shape[0] for shape in adapted)
    return AdapterSize(per_block * model.layers, len(adapted), inputs, tuple(unknown))


def name_targets(targets: str | Iterable[str] | None) -> tuple[str, ...]:
    """Module names as a tuple; None: what PEFT adapts by default, query and value."""
    if targets is None:
        return ("q_proj", "v_proj")
    if isinstance(targets, str):
        return tuple(part for part in re.split(r"[,\s]+", targets) if part)
    return tuple(str(part) for part in targets)


def _shapes(model: Model) -> dict[str, tuple[int, int]]:
    """Input and output width of the linears of one block."""
    hidden, query, narrow = model.hidden, model.heads * model.head, model.kv_heads * model.head
    if model.mla is not None:
        query = model.heads * model.mla.value
    shapes = {
        "q": (hidden, query),
        "k": (hidden, narrow),
        "v": (hidden, narrow),
        "o": (query, hidden),
        "qkv": (hidden, query + 2 * narrow),
    }
    if not model.experts:
        shapes["up"] = (hidden, model.mlp)
        shapes["down"] = (model.mlp, hidden)
        if model.gated:
            shapes["gate"] = (hidden, model.mlp)
            shapes["gate_up"] = (hidden, 2 * model.mlp)
    return shapes
