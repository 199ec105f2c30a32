"""The walk from the step before to the step after: edit by edit, else part by part."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.export.arms import arms_of, only_one
from audit.export.numbers import number, rounded, step_of
from audit.export.parts import TIME_NAMES, by_part, name_of
from audit.records.base import Provenance
from audit.records.metrics import Metrics
from audit.records.report import Report

REST = "The rest"
SMALL = 0.005
"""Share of the step below which a change is not drawn alone."""


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


class Move(NamedTuple):
    """What one edit or part adds to a step; below zero where it saves."""

    label: str
    seconds: float


def _alone(arm: Metrics) -> tuple[Change, ...]:
    """The parts of one step one after the other, where there is nothing to compare."""
    provenance = arm.provenance
    total = sum(part.value for part in arm.breakdown)
    large = [part for part in arm.breakdown if part.value >= SMALL * total > 0]
    named = [Move(name_of(part.name, TIME_NAMES), part.value) for part in large]
    rest = total - sum(move.seconds for move in named)
    if rest >= SMALL * total > 0:
        named.append(Move(REST, rest))
    start = 0.0
    rows = []
    for label, seconds in named:
        rows.append(Change(label, start, seconds, f"{number(seconds)} s", "change", provenance))
        start += seconds
    whole = Change("One step", 0.0, total, f"{number(total)} s", "after", provenance)
    return (*rows, whole) if rows else ()


def edit_by_edit(report: Report) -> bool:
    """Whether the walk goes by the edits of the patch: only where all of it is projected."""
    arms = [arm for _, arm in arms_of(report)]
    projected = all(arm.provenance == "projected" and arm.step_s for arm in arms)
    return bool(report.patch.steps) and not only_one(report) and projected


def _moves_by_edit(report: Report, before: float) -> list[Move]:
    moves = []
    level = before
    for step in report.patch.steps:
        moves.append(Move(step.title, step.step_s - level))
        level = step.step_s
    return moves


def _moves_by_part(before: Metrics, after: Metrics) -> list[Move]:
    """Largest gain first; the parts of a step add up to it, whatever the order of the edits."""
    old, new = by_part(before.breakdown), by_part(after.breakdown)
    moves = [
        Move(name_of(name, TIME_NAMES), new.get(name, 0.0) - old.get(name, 0.0))
        for name in {**old, **new}
    ]
    return sorted(moves, key=lambda move: (move.seconds, move.label))


def _told(moves: list[Move], before: float, after: float) -> list[Move]:
    """The moves worth a bar of their own, then what is left to come from before to after."""
    large = [move for move in moves if abs(move.seconds) >= SMALL * before]
    rest = after - before - sum(move.seconds for move in large)
    if abs(rest) >= SMALL * before:
        large.append(Move(REST, rest))
    return large


def _unique(labels: list[str]) -> list[str]:
    """Labels that can be told apart: a chart draws equal ones on the same line."""
    return [
        label if labels.index(label) == place else f"{label} ({labels[: place + 1].count(label)})"
        for place, label in enumerate(labels)
    ]


def walk(report: Report) -> tuple[Change, ...]:
    """Before, each change, after; one arm alone: its parts. Empty where no step is known."""
    arms = arms_of(report)
    if not arms or not arms[0][1].breakdown:
        return ()
    if only_one(report):
        return _alone(arms[0][1])
    before, after = arms[0][1], arms[1][1]
    total_old = sum(part.value for part in before.breakdown)
    total_new = sum(part.value for part in after.breakdown)
    moves = (
        _moves_by_edit(report, total_old) if edit_by_edit(report) else _moves_by_part(before, after)
    )
    told = _told(moves, total_old, total_new)
    labels = _unique([move.label for move in told])
    fine = step_of(total_old, fine=True)
    rows = [Change("Before", 0.0, total_old, f"{number(total_old)} s", "before", before.provenance)]
    level = total_old
    for label, move in zip(labels, told, strict=True):
        end = level + move.seconds
        text = f"{'−' if move.seconds < 0 else '+'}{rounded(abs(move.seconds), fine)} s"
        kind: Literal["change"] = "change"
        rows.append(Change(label, min(level, end), abs(move.seconds), text, kind, after.provenance))
        level = end
    rows.append(
        Change("After", 0.0, total_new, f"{number(total_new)} s", "after", after.provenance)
    )
    return tuple(rows)


def what_is_left(report: Report) -> str:
    """`0.85 s matrix work, 0.09 s attention, 0.12 s the rest`: the step after the patch."""
    arms = arms_of(report)
    if only_one(report) or not arms[-1][1].breakdown:
        return ""
    parts = sorted(arms[-1][1].breakdown, key=lambda part: -part.value)
    total = sum(part.value for part in parts)
    fine = step_of(total, fine=total >= 1)
    large = [part for part in parts[:3] if part.value >= SMALL * total]
    told = [
        f"{rounded(part.value, fine)} s {name_of(part.name, TIME_NAMES).lower()}" for part in large
    ]
    rest = total - sum(part.value for part in large)
    if rest >= SMALL * total:
        told.append(f"{rounded(rest, fine)} s the rest")
    return ", ".join(told)
