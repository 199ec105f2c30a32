"""Scales a model to a box: as large as its memory and the seconds of a step allow, and no larger.

On a GPU layers are left out first, since every layer launches the same kernels in the same shapes;
width and vocabulary shrink only where two layers do not fit. On a CPU everything shrinks. Token
lengths are divided, all by the same number, only where the smallest model is still too slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from audit.records.translated import Recipe, Samples, Shape
from runner.translation.place import Place

STEP_SECONDS = {"cpu": 0.12, "gpu": 0.6}
"""Aim for one step of the baseline: short steps give many paired rounds in a budget of minutes."""
WIDTHS = (8192, 6144, 5120, 4096, 3584, 3072, 2560, 2048, 1536, 1024, 768, 512, 384, 256, 192, 128,
          96, 64)  # fmt: skip
LEAST_LAYERS = 2
REACHED = 0.5
"""Share of the probe's rate that a whole step reaches: our assumption, it decides sizes only."""
CALL_SECONDS = {"cpu": 1.2e-3, "gpu": 0.4e-3}
"""Of one layer of one micro-batch, forward and backward, whatever it computes."""
MEMORY_SHARE = 0.35
"""Of the device for one arm: two stand side by side."""
SHORTEST = 32
"""Tokens below which a sample is not scaled."""


class Scaled(NamedTuple):
    """What is built in place of the full model."""

    shape: Shape
    divisor: int


def shrink(full: Shape, recipe: Recipe, samples: Samples, place: Place) -> Scaled:
    """The largest shape on the ladder that fits `place`, for the baseline's recipe."""
    aim = STEP_SECONDS["gpu" if place.gpu else "cpu"]
    divisor, smallest = 1, full
    while True:
        for shape in _ladder(full, place.gpu):
            smallest = shape
            if fits(shape, recipe, samples, place, divisor, aim):
                return Scaled(shape, divisor)
        if recipe.max_length // (2 * divisor) < SHORTEST:
            return Scaled(smallest, divisor)
        divisor *= 2


def fits(
    shape: Shape, recipe: Recipe, samples: Samples, place: Place, divisor: int, aim: float
) -> bool:
    """Whether a step of the baseline takes at most `aim` seconds and its memory has room."""
    tokens = recipe.micro_batch * recipe.accumulation * row_tokens(recipe, samples) / divisor
    kind = "gpu" if place.gpu else "cpu"
    rate = place.rates.get("bf16" if recipe.precision == "bf16" else "fp32", 0.1) * 1e12
    passes = 8.0 if recipe.checkpointing != "off" else 6.0
    weights = weight_count(shape)
    seconds = passes * weights.products * tokens / (REACHED * rate)
    seconds += recipe.accumulation * shape.layers * CALL_SECONDS[kind]
    one_pass = recipe.micro_batch * recipe.max_length / divisor
    width = 4 if recipe.precision in ("fp32", "tf32") else 2
    activations = (
        one_pass * (shape.layers * 34 * shape.hidden + 3 * shape.vocab * 4 / width) * width
    )
    kept = 4.0 if recipe.weights == "fp32" else 2.0
    states = kept if recipe.lora else 4 * kept + 2  # weight, gradient, two states, a copy
    memory = states * weights.all + activations
    return seconds <= aim and memory <= MEMORY_SHARE * place.memory_gb * 1e9


def row_tokens(recipe: Recipe, samples: Samples) -> float:
    """Tokens that a row costs, about: the whole row where it is filled, else near the longest."""
    if recipe.padding in ("max", "packed"):
        return float(recipe.max_length)
    near = samples.p95 if recipe.micro_batch > 1 else samples.p50 * 1.2
    return float(min(recipe.max_length, near))


class Weights(NamedTuple):
    """Numbers of weights: all, and those in matrix products."""

    all: int
    products: int


def weight_count(shape: Shape) -> Weights:
    """Weights of a gated decoder."""
    attention = 2 * shape.hidden * shape.head * (shape.heads + shape.kv_heads)
    body = shape.layers * (attention + 3 * shape.hidden * shape.mlp)
    table = shape.vocab * shape.hidden
    return Weights(body + table * (1 if shape.tied else 2), body + table)


def _ladder(full: Shape, gpu: bool) -> Iterator[Shape]:
    """Shapes from the full one down."""
    yield full
    if gpu:
        layers = full.layers
        while layers > LEAST_LAYERS:
            layers = max(LEAST_LAYERS, layers * 3 // 4)
            yield full.model_copy(update={"layers": layers})
    for width in WIDTHS:
        if width < full.hidden:
            yield _narrow(full, width, gpu)


def _narrow(full: Shape, width: int, gpu: bool) -> Shape:
    """The same proportions at another width."""
    share = width / full.hidden
    head = min(full.head, 64 if width >= 512 else 32)
    heads = max(1, width // head)
    group = max(1, full.heads // full.kv_heads)
    while heads % group:
        group -= 1
    layers = (
        LEAST_LAYERS if gpu else max(LEAST_LAYERS, min(full.layers, round(full.layers * share)))
    )
    mlp = max(32, round(full.mlp * share / 16) * 16)
    scaled = full.model_copy(
        update={
            "hidden": width,
            "layers": layers,
            "heads": heads,
            "kv_heads": heads // group,
            "head": head,
            "mlp": mlp,
        }
    )
    return scaled.model_copy(update={"vocab": _vocabulary(full, scaled)})


def _vocabulary(full: Shape, scaled: Shape) -> int:
    """The power of two that keeps the output layer's share of the work, from 512 on."""
    body = weight_count(full).products / (full.vocab * full.hidden) - 1
    ours = weight_count(scaled).products - scaled.vocab * scaled.hidden
    wanted = max(512.0, ours / (body * scaled.hidden))
    return min(full.vocab, 1 << math.floor(math.log2(wanted)))
