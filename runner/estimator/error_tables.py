"""Sorts errors of unseen runs by hardware family, method and card; calibration only.

`docs/why-believe.md` shows them. An error is log(predicted seconds or bytes) - log(published ones).
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from runner.estimator.observed import Observation

Errors = Sequence[float]
FEWEST = 3
"""Runs of a card below which leaving it out says nothing of it."""
FAMILIES = {
    "Volta": "NVIDIA V100", "Ampere": "NVIDIA A100 generation", "Ada": "NVIDIA Ada",
    "Hopper": "NVIDIA H100, H200", "Blackwell": "NVIDIA B200, B300, GB200, GB300",
    "CDNA2": "AMD MI200", "CDNA3": "AMD MI300", "CDNA4": "AMD MI350",
}  # fmt: skip


def error_tables(
    speed: Sequence[Observation],
    errors: Errors,
    memory: Sequence[Observation],
    peaks: Errors,
    left_out: Errors,
) -> dict[str, Any]:
    """Rows of every table: `[name, runs, mean, median, within 20%]`, as fractions.

    Args:
        speed: runs with a speed.
        errors: theirs, by a fit without them.
        memory: runs with a peak.
        peaks: their errors, by a fit without them.
        left_out: errors of `speed` by fits without any run of the same card.
    """
    exact = [place for place, item in enumerate(speed) if item.scope != "variable"]
    known, off = [speed[place] for place in exact], [errors[place] for place in exact]
    return {
        "family": _rows(known, off, family_of),
        "method": _rows(known, off, method_of),
        "card": _rows(known, off, lambda item: item.job.hardware.id),
        "memory_method": _rows(memory, peaks, method_of),
        "memory_family": _rows(memory, peaks, family_of),
        "card_left_out": _left_out(known, [left_out[place] for place in exact]),
    }


def family_of(item: Observation) -> str:
    """The cards of one generation."""
    generation = item.job.hardware.generation
    return FAMILIES.get(generation, generation)


def method_of(item: Observation) -> str:
    """Dense runs by what is trained; mixtures of experts apart."""
    job = item.job
    if job.model.experts:
        return "mixture of experts"
    if not job.trained:
        return "QLoRA" if job.base != "plain" else "LoRA"
    fine_tuned = job.stack in ("hf", "deepspeed", "ms-swift", "torchtune", "litgpt")
    return "full fine-tuning" if fine_tuned else "pretraining"


def _rows(
    items: Sequence[Observation], errors: Errors, mark: Callable[[Observation], str]
) -> list[list[Any]]:
    groups: dict[str, list[float]] = defaultdict(list)
    for item, error in zip(items, errors, strict=True):
        groups[mark(item)].append(abs(math.exp(-error) - 1))
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [[name, *_summary(found)] for name, found in ordered]


def _summary(found: Sequence[float]) -> list[Any]:
    within = sum(one <= 0.2 for one in found) / len(found)
    mean, median = statistics.fmean(found), statistics.median(found)
    return [len(found), round(mean, 4), round(median, 4), round(within, 4)]


def _left_out(items: Sequence[Observation], errors: Errors) -> list[list[Any]]:
    """`[card, runs, median, median after one anchor]`.

    Each run anchors the others of its card, source, model and GPU count, as a log anchors a file.
    """
    cards: dict[str, dict[Any, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item, error in zip(items, errors, strict=True):
        same = (item.source, item.job.model.name, item.job.layout.gpus)
        cards[item.job.hardware.id][same].append(error)
    found = []
    for card, sources in sorted(cards.items()):
        every = [one for errors in sources.values() for one in errors]
        pairs = [
            abs(math.exp(-(one - other)) - 1)
            for errors in sources.values()
            for place, one in enumerate(errors)
            for spot, other in enumerate(errors)
            if place != spot
        ]
        if len(every) < FEWEST or not pairs:
            continue
        plain = statistics.median(abs(math.exp(-one) - 1) for one in every)
        found.append([card, len(every), round(plain, 4), round(statistics.median(pairs), 4)])
    return found
