"""Measured runs made of numbers: rows of both arms with a known ratio, for tests of statistics."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from audit.records.base import ArmName
from audit.records.measured import ArmFailure, Manifest, MeasuredArm, MeasuredRun, StepRow
from audit.records.translated import Loader, Recipe, Samples, Shape, TranslatedArm, Translation

SHAPE = Shape(
    family="llama", hidden=64, layers=2, heads=2, kv_heads=1, head=32, mlp=256, vocab=512, tied=True
)
RECIPE = Recipe(
    micro_batch=4, accumulation=2, max_length=256, padding="longest", attention="sdpa",
    precision="fp32", weights="fp32", checkpointing="off", compiled=False, optimizer="adamw_torch",
    learning_rate=1e-5, weight_decay=0.0, max_grad_norm=1.0, lora=None, loader=Loader(),
    logging_steps=500, sharding="none",
)  # fmt: skip
PER_ROUND = 2
Noise = Callable[[random.Random], float]


def row(arm: ArmName, index: int, **values: Any) -> StepRow:
    """A step of one second, two steps to a round."""
    base: dict[str, Any] = {
        "round": index // PER_ROUND, "place": 0, "seconds": 1.0, "cpu_seconds": 1.0, "samples": 8,
        "real_tokens": 800, "padded_tokens": 1000, "loss": 6.0 - index / 100, "grad_norm": 2.0,
        "data_wait_s": 0.0,
    }  # fmt: skip
    return StepRow(arm=arm, index=index, **(base | values))


def rows(
    ratio: float = 1.0,
    *,
    noise: float = 0.1,
    kept: float = 0.0,
    rounds: int = 25,
    seed: int = 0,
    wall: float = 1.0,
) -> list[StepRow]:
    """Both arms with log-normal noise; the patched arm is `ratio` times as fast.

    `kept`: how much of a step's noise the next step, of either arm, keeps (AR(1)). `wall`: what the
    noise of the elapsed time is, against that of the CPU time.
    """
    drawn, state = random.Random(seed), 0.0
    found = []
    for number in range(rounds):
        order: tuple[ArmName, ArmName] = ("baseline", "patched")
        for place, arm in enumerate(order if number % 2 == 0 else order[::-1]):
            for step in range(PER_ROUND):
                state = kept * state + math.sqrt(1 - kept**2) * drawn.gauss(0, noise)
                speed = ratio if arm == "patched" else 1.0
                index = number * PER_ROUND + step
                cpu = math.exp(state) / speed
                seconds = math.exp(state * wall) / speed
                found.append(row(arm, index, place=place, seconds=seconds, cpu_seconds=cpu))
    return found


def run_of(
    found: list[StepRow],
    recipes: tuple[Recipe, Recipe] = (RECIPE, RECIPE),
    failure: ArmFailure | None = None,
    **manifest: Any,
) -> MeasuredRun:
    """Those rows as one job of the worker."""
    names: tuple[ArmName, ArmName] = ("baseline", "patched")
    arms = tuple(
        TranslatedArm(name=name, workload=name, recipe=recipe)
        for name, recipe in zip(names, recipes, strict=True)
    )
    return MeasuredRun(
        translation=Translation(
            model="a model",
            full=SHAPE,
            shape=SHAPE,
            samples=Samples(p50=100, p95=200, longest=256, origin="stated"),
            arms=arms,
            edits={"per_device_train_batch_size": 8},
        ),
        arms=tuple(
            MeasuredArm(
                arm=name,
                rows=tuple(one for one in found if one.arm == name),
                failure=failure if name == "patched" else None,
            )
            for name in names
        ),
        manifest=Manifest(**({"device": "cpu", "device_kind": "cpu"} | manifest)),
        stopped="rounds_done",
    )
