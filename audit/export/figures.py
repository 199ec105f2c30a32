"""Writes figures as text: the value, its interval, and always the word for where it comes from."""

from __future__ import annotations

from typing import NamedTuple

from audit.export.numbers import ends, spread, times, times_between
from audit.records.base import Interval
from audit.records.comparison import Comparison
from audit.records.finding import Effect
from audit.records.metrics import Metrics

EFFECT_OF = {"speed": "speed", "memory": "peak memory"}
WORD_OF = {"derived": "projected", "published": "published", "none": "stated"}
SCOPE_OF = {"alone": ", for this edit alone", "in_patch": ", on top of the edits before it"}


class Cell(NamedTuple):
    """One figure of one arm, ready to print."""

    value: str
    """With its unit: `3.0 s`."""
    ends: str
    """` (2.6 to 3.5)`; empty where the figure is exact."""
    provenance: str
    """`projected`, or `anchored, projected`."""

    def __str__(self) -> str:
        """Give `3.0 s (2.6 to 3.5), projected`."""
        return f"{self.value}{self.ends}, {self.provenance}"


class Row(NamedTuple):
    """One metric of several arms; a cell is None where an arm does not have it."""

    metric: str
    label: str
    cells: tuple[Cell | None, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells as text, `-` where there is none."""
        return tuple(str(cell) if cell else "-" for cell in self.cells)


SHOWN = (
    ("tokens_per_s_per_gpu", "tokens/s per GPU", ""),
    ("tokens_per_s", "tokens/s in all", ""),
    ("samples_per_s", "samples/s", ""),
    ("step_s", "optimizer step", " s"),
    ("mfu", "FLOP use (MFU, 0 to 1)", ""),
    ("peak_memory_gb", "peak memory", " GB"),
    ("padding_efficiency", "real tokens of all (0 to 1)", ""),
    ("gpu_busy", "GPU busy (0 to 1)", ""),
)
"""Metric, label, unit: in this order."""


def metric_rows(*arms: Metrics | None) -> list[Row]:
    """A row for each metric that at least one arm has; a cell per arm."""
    rows = []
    for metric, label, unit in SHOWN:
        if metric == "tokens_per_s" and _one_gpu(*arms):
            continue
        cells = tuple(_cell(arm, metric, unit) for arm in arms)
        if any(cells):
            kind = _memory_kind(arms) if metric == "peak_memory_gb" else ""
            rows.append(Row(metric, label + kind, cells))
    return rows


def provenance_text(arm: Metrics) -> str:
    """`projected`, or `anchored, projected`."""
    return f"anchored, {arm.provenance}" if arm.anchored else arm.provenance


def speedup_text(comparison: Comparison) -> str:
    """`faster: 1.4x the speed, 1.2 to 1.7 (projected, 80% interval)`, or the verdict alone."""
    verdict = comparison.verdict.replace("_", " ")
    if comparison.speedup is None:
        return verdict
    speedup = comparison.speedup
    interval = f", {comparison.confidence:.0%} interval" if comparison.confidence else ""
    return (
        f"{verdict}: {times(speedup.value)} the speed, {times_between(speedup)} "
        f"({comparison.provenance}{interval})"
    )


def effect_interval(effect: Effect) -> Interval | None:
    """The effect as an interval of a ratio; None where no figure is known."""
    if effect.value is None:
        return None
    low = effect.value if effect.low is None else effect.low
    high = effect.value if effect.high is None else effect.high
    return Interval(low=min(low, effect.value), value=effect.value, high=max(high, effect.value))


def effect_text(effect: Effect) -> str:
    """What following a rule is expected to bring, and on whose word."""
    interval = effect_interval(effect)
    if interval is None:
        return effect.text
    between = f", {times_between(interval)}" if interval.low < interval.high else ""
    what = EFFECT_OF.get(effect.metric, effect.metric)
    figure = f"{times(interval.value)} the {what}{between} ({effect_basis(effect)})."
    return f"{figure} {effect.text}".strip()


def effect_basis(effect: Effect) -> str:
    """`projected, on top of the edits before it`; `published`."""
    scope = SCOPE_OF[effect.scope] if effect.basis == "derived" else ""
    return WORD_OF[effect.basis] + scope


def _cell(arm: Metrics | None, metric: str, unit: str) -> Cell | None:
    found: Interval | None = getattr(arm, metric) if arm is not None else None
    if arm is None or found is None:
        return None
    return Cell(spread(found)[0] + unit, ends(found), provenance_text(arm))


def _memory_kind(arms: tuple[Metrics | None, ...]) -> str:
    kind = next((arm.memory_kind for arm in arms if arm and arm.memory_kind), None)
    return f" ({kind})" if kind else ""


def _one_gpu(*arms: Metrics | None) -> bool:
    return all(arm is None or arm.gpus * arm.nodes == 1 for arm in arms)
