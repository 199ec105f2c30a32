"""Reads the names in published rows: card, model, training code. Tables spell them freely.

What a row leaves open is filled with the usual reading (a bare `A100` is the 80 GB one) because a
row is only ever compared with its own published value; a user's file never takes this path.
"""

from __future__ import annotations

import re
from functools import lru_cache

from audit.records.errors import UnknownName
from kb.catalog.hardware import Hardware, find_hardware
from kb.catalog.models import Model, find_model
from runner.estimator.job import Stack

_USUAL_CARD = {"a100": "a100-80gb", "h100": "h100-sxm", "v100": "v100", "a100 sxm": "a100-80gb"}
_SPELLINGS = (
    (r"deepseek[-_ ]?v3", "deepseek-ai/DeepSeek-V3"),
    (r"kimi[-_ ]?k2", "moonshotai/Kimi-K2-Instruct"),
    (r"zephyr[-_ ]?7b", "mistralai/Mistral-7B-v0.1"),
    (r"qwen3 moe 30b", "Qwen/Qwen3-30B-A3B"),
    (r"^0?7(\.0)?b gpt", "mosaicml/mpt-7b"),
    (r"^13(\.\d)?b gpt", "MPT-13b"),
)
_SIZED = (
    # Architectures that the catalogue leaves out (hybrids, no published dimensions), rebuilt from
    # their published totals: pattern, total and active parameters in 1e9, hidden size, layers,
    # and the vocabulary (that of the makers' other models; IBM's Granite: 49160).
    (r"nemotron[-_ ](3|v3)[-_ ]nano", 31.6, 3.2, 2688, 52, 131072),
    (r"nemotron[-_ ](3|v3)[-_ ]super", 120.0, 12.0, 4096, 88, 131072),
    (r"nemotron[-_ ](3|v3)[-_ ]ultra", 550.0, 55.0, 8192, 108, 131072),
    (r"deepseek[-_ ]?v4[-_ ]flash", 284.0, 13.0, 4096, 43, 131072),
    (r"moe-7b-1b", 6.7, 1.0, 1536, 40, 49160),
)
_STACKS: tuple[tuple[str, Stack], ...] = (
    (r"megatron|primus", "megatron"),
    (r"llm-foundry|composer", "llm-foundry"),
    (r"automodel", "automodel"),
    (r"maxtext", "maxtext"),
    (r"torchtitan", "torchtitan"),
    (r"torchtune", "torchtune"),
    (r"litgpt", "litgpt"),
    (r"ms-swift", "ms-swift"),
    (r"deepspeed", "deepspeed"),
)


def read_hardware(text: str | None) -> Hardware | None:
    """The card of a row."""
    if not text:
        return None
    try:
        return find_hardware(_USUAL_CARD.get(text.strip().lower(), text))
    except UnknownName:
        return None


@lru_cache(maxsize=512)
def read_model(text: str | None) -> Model | None:
    """The model of a row."""
    if not text or re.search(r"proxy|mamba|zebra", text, re.I):
        return None
    return _named(text) or _by_totals(text)


def _named(text: str) -> Model | None:
    lower = text.lower()
    for pattern, total, active, hidden, layers, vocab in _SIZED:
        if re.search(pattern, lower):
            return _sized_mixture(text, total, active, hidden, layers, vocab)
    for pattern, name in _SPELLINGS:
        if re.search(pattern, lower):
            return find_model(name)
    return find_model(text)


def _by_totals(text: str) -> Model | None:
    """A mixture that is known by its total and active size only (`30B-A3B`)."""
    found = re.search(r"(\d+(?:\.\d+)?)b[-_ ]a(\d+(?:\.\d+)?)b", text.lower())
    if not found:
        return None
    total, active = float(found.group(1)), float(found.group(2))
    # hidden size and depth as mixtures of that active size have them (Qwen3: 3B 2048 x 48)
    hidden = 1024 * max(2, round(2 * (active / 3) ** 0.4))
    return _sized_mixture(text, total, active, hidden, 48 if active < 10 else 80, 131072)


def read_stack(framework: str | None, title: str | None, hardware: Hardware) -> Stack:
    """Whose training code ran."""
    if title and "mlperf" in title.lower():
        return "rocm-lora" if hardware.vendor == "amd" else "nemo-lora"
    text = (framework or "").lower()
    return next((stack for pattern, stack in _STACKS if re.search(pattern, text)), "hf")


def _sized_mixture(
    name: str, total: float, active: float, hidden: int, layers: int, vocab: int
) -> Model:
    """A mixture of experts with the given totals; its attention is small, as in hybrids."""
    experts, top = 128, 6
    heads, kv_heads, head = hidden // 128, 2, 128
    embedding = 2 * vocab * hidden
    unit = (total - active) * 1e9 / (experts - top)
    attention = layers * 2 * hidden * head * (heads + kv_heads)
    rest = max(0.0, active * 1e9 - top * unit - attention - embedding)
    return Model(
        name=name,
        matched="family and size",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        mlp=4 * hidden,
        vocab=vocab,
        source="study",
        gated=False,
        experts=experts,
        top=top,
        expert=max(1, int(unit / (2 * hidden * layers))),
        shared=int(rest / (2 * hidden * layers)),
        window=512,
    )
