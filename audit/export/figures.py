"""Writes figures as text: the value, its interval, and always the word for where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from audit.records.base import Interval
from audit.records.comparison import Comparison
from audit.records.finding import Effect
from audit.records.metrics import Metrics

EFFECT_OF = {"speed": "speed", "memory": "peak memory"}
WORD_OF = {"derived": "projected", "published": "published", "none": "stated"}
SCOPE_OF = {"alone": ", for this edit alone", "in_patch": ", on top of the edits before it"}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of both arms, ready to print."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Shown:
    field: str
    label: str
    unit: str
    decimals: int
    factor: float = 1.0


SHOWN = (
    _Shown("tokens_per_s_per_gpu", "tokens/s per GPU", "", 0),
    _Shown("tokens_per_s", "tokens/s in all", "", 0),
    _Shown("samples_per_s", "samples/s", "", 2),
    _Shown("step_s", "optimizer step", " s", 3),
    _Shown("mfu", "MFU", "%", 1, 100.0),
    _Shown("peak_memory_gb", "peak memory", " GB", 1),
    _Shown("padding_efficiency", "real tokens", "%", 0, 100.0),
    _Shown("gpu_busy", "GPU busy", "%", 0, 100.0),
)


def metric_rows(before: Metrics | None, after: Metrics | None) -> list[Row]:
    """A row for each metric that at least one arm has."""
    rows = []
    for shown in SHOWN:
        if shown.field == "tokens_per_s" and _one_gpu(before, after):
            continue
        texts = [_figure(arm, shown) for arm in (before, after)]
        if any(texts):
            memory = next((m.memory_kind for m in (before, after) if m and m.memory_kind), None)
            kind = f" ({memory})" if shown.field == "peak_memory_gb" and memory else ""
            rows.append(Row(shown.label + kind, texts[0] or "-", texts[1] or "-"))
    return rows


def speedup_text(comparison: Comparison) -> str:
    """`faster: 1.42x, 1.20 to 1.65 (projected, 80% interval)`, or the verdict alone."""
    verdict = comparison.verdict.replace("_", " ")
    if comparison.speedup is None:
        return verdict
    speedup = comparison.speedup
    interval = f", {comparison.confidence:.0%} interval" if comparison.confidence else ""
    return (
        f"{verdict}: {speedup.value:.2f}x the speed, {speedup.low:.2f} to {speedup.high:.2f} "
        f"({comparison.provenance}{interval})"
    )


def effect_text(effect: Effect) -> str:
    """What following a rule is expected to bring, and on whose word."""
    if effect.value is None:
        return effect.text
    between = (
        f", {effect.low:.2f} to {effect.high:.2f}"
        if effect.low is not None and effect.high is not None
        else ""
    )
    what = EFFECT_OF.get(effect.metric, effect.metric)
    figure = f"{effect.value:.2f}x the {what}{between} ({_basis(effect)})."
    return f"{figure} {effect.text}".strip()


def _basis(effect: Effect) -> str:
    scope = SCOPE_OF[effect.scope] if effect.basis == "derived" else ""
    return WORD_OF[effect.basis] + scope


def _figure(arm: Metrics | None, shown: _Shown) -> str:
    if arm is None:
        return ""
    found: Interval | None = getattr(arm, shown.field)
    if found is None:
        return ""
    low, value, high = (
        f"{number * shown.factor:,.{shown.decimals}f}"
        for number in (found.low, found.value, found.high)
    )
    word = "anchored, " if arm.anchored else ""
    return f"{value}{shown.unit} ({low} to {high}), {word}{arm.provenance}"


def _one_gpu(*arms: Metrics | None) -> bool:
    return all(arm is None or arm.gpus * arm.nodes == 1 for arm in arms)
