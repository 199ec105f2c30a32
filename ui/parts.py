"""Where time and memory go, part by part: the rows behind the two charts and their tables."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.records.base import Provenance
from audit.records.metrics import Metrics
from audit.records.profile import Part
from audit.records.report import Report
from ui.arms import arms_of, only_one
from ui.figures import number, rounded, step_of

TIME_NAMES = {
    "gemm": "Matrix work",
    "attention": "Attention",
    "elementwise": "Elementwise work",
    "loss": "Loss and logits",
    "dequantize": "Unpacking weights",
    "launch": "Kernel launches",
    "communication": "Communication",
    "optimizer": "Optimizer",
    "data": "Waiting for data",
}
MEMORY_NAMES = {
    "weights": "Weights",
    "gradients": "Gradients",
    "optimizer": "Optimizer states",
    "activations": "Activations",
    "logits": "Loss logits",
    "other": "Context and buffers",
}
SMALL = 0.005
"""Share of the step below which a change of a part is not drawn alone."""


class Change(NamedTuple):
    """One bar of the time chart."""

    label: str
    start: float
    """Seconds."""
    length: float
    """Seconds."""
    text: str
    kind: Literal["before", "change", "after"]
    provenance: Provenance


class Share(NamedTuple):
    """One part of one arm."""

    value: float
    """Seconds or 1e9 bytes."""


def name_of(part: str, names: dict[str, str]) -> str:
    """The page's word for a part."""
    return names.get(part, part.replace("_", " ").capitalize())


def _values(parts: tuple[Part, ...]) -> dict[str, float]:
    return {part.name: part.value for part in parts}


def _single(arm: Metrics, provenance: Provenance) -> tuple[Change, ...]:
    """The parts of one step one after the other, where there is nothing to compare."""
    start = 0.0
    rows = []
    for part in arm.breakdown:
        if part.value <= 0:
            continue
        rows.append(
            Change(
                name_of(part.name, TIME_NAMES),
                start,
                part.value,
                f"{number(part.value)} s",
                "change",
                provenance,
            )
        )
        start += part.value
    whole = Change("One step", 0.0, start, f"{number(start)} s", "after", provenance)
    return (*rows, whole) if rows else ()


def time_changes(report: Report) -> tuple[Change, ...]:
    """Before, then what each part gained or lost, then after; largest gain first.

    The parts of a step add up to it, so the split does not depend on an order of edits.
    """
    arms = arms_of(report)
    if not arms or not arms[0][1].breakdown:
        return ()
    if only_one(report):
        return _single(arms[0][1], arms[0][1].provenance)
    before, after = arms[0][1], arms[1][1]
    old, new = _values(before.breakdown), _values(after.breakdown)
    total_old, total_new = sum(old.values()), sum(new.values())
    moves = sorted(
        ((new.get(name, 0.0) - old.get(name, 0.0), name) for name in {**old, **new}),
        key=lambda move: (move[0], move[1]),
    )
    large = [move for move in moves if abs(move[0]) >= SMALL * total_old]
    rest = sum(move[0] for move in moves) - sum(move[0] for move in large)
    named = [(amount, name_of(name, TIME_NAMES)) for amount, name in large]
    if abs(rest) >= SMALL * total_old:
        named.append((rest, "The rest"))
    rows = [Change("Before", 0.0, total_old, f"{number(total_old)} s", "before", before.provenance)]
    level = total_old
    fine = step_of(total_old) / 10
    for amount, label in named:
        sign = "−" if amount < 0 else "+"
        rows.append(
            Change(
                label,
                min(level, level + amount),
                abs(amount),
                f"{sign}{rounded(abs(amount), fine)} s",
                "change",
                after.provenance,
            )
        )
        level += amount
    rows.append(
        Change("After", 0.0, total_new, f"{number(total_new)} s", "after", after.provenance)
    )
    return tuple(rows)


def time_shares(report: Report) -> dict[str, list[Share]]:
    """Seconds of one step by part, one value per arm; parts that are zero are left out."""
    return _shares(report, "breakdown", TIME_NAMES)


def memory_shares(report: Report) -> dict[str, list[Share]]:
    """1e9 bytes at the peak by part, one value per arm."""
    return _shares(report, "memory", MEMORY_NAMES)


def _shares(
    report: Report, what: Literal["breakdown", "memory"], names: dict[str, str]
) -> dict[str, list[Share]]:
    arms = [arm for _, arm in arms_of(report)]
    if only_one(report):
        arms = arms[:1]
    tables = [_values(getattr(arm, what)) for arm in arms]
    keys = dict.fromkeys(name for table in tables for name in table)
    rows = {name_of(key, names): [Share(table.get(key, 0.0)) for table in tables] for key in keys}
    return {name: row for name, row in rows.items() if any(share.value > 0 for share in row)}
