"""Measures errors on runs that a fit had not seen, and turns them into widths; calibration only.

An error is log(predicted seconds or bytes) - log(published ones).
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from runner.estimator.fit import Problem, predict, solve
from runner.estimator.observed import FOLDS, Observation, PublishedPair
from runner.estimator.spread import cell_of, kind_of, speed_width

HELD = 0.77
"""Share of a class that its width holds before the two widenings: by (1 + 1/g) for a class of g
experiments, as conformal prediction does, and up to the scale of all classes. With it 82% of runs
lie inside intervals that were set without their own fifth."""
SMALL_CHANGE = 0.1
"""Ratios nearer to 1 than this (in log) set the width of a pair at no change."""
NOTHING_SEEN = 0.5
"""Half width of a class that no published run shows."""
Values = dict[str, float]
Errors = list[float]


def cross_validate(problem: Problem, items: Sequence[Observation], start: Values) -> Errors:
    """Errors of each fifth by a fit of three others: as much unseen as a user's own run is."""
    errors = [0.0] * len(items)
    for fold in range(FOLDS):
        unseen = (fold, (fold + 1) % FOLDS)
        inside = [place for place, item in enumerate(items) if item.fold == fold]
        outside = [place for place, item in enumerate(items) if item.fold not in unseen]
        _fill(errors, problem, inside, outside, start)
    return errors


def left_out(problem: Problem, marks: Sequence[str], start: Values) -> Errors:
    """Errors of each part by a fit without it."""
    errors = [0.0] * len(marks)
    for mark in sorted(set(marks)):
        inside = [place for place, other in enumerate(marks) if other == mark]
        outside = [place for place, other in enumerate(marks) if other != mark]
        _fill(errors, problem, inside, outside, start)
    return errors


def _fill(
    errors: Errors, problem: Problem, inside: list[int], outside: list[int], start: Values
) -> None:
    values = solve(problem, outside, start)
    for place, found in zip(inside, predict(problem, values, inside), strict=True):
        errors[place] = float(found - problem.observed[place])


def _quantile(errors: Iterable[float], groups: Sequence[str] = ()) -> float:
    """80% quantile of absolute errors; every group weighs the same however many runs it has.

    Small samples are corrected by (n + 1) / n.
    """
    sizes = [abs(error) for error in errors]
    if not sizes:
        return NOTHING_SEEN
    count = Counter(groups)
    weights = [1 / count[group] for group in groups] or [1.0] * len(sizes)
    share = min(1.0, 0.8 * (1 + 1 / len(sizes))) * sum(weights)
    reached = 0.0
    for size, weight in sorted(zip(sizes, weights, strict=True)):
        reached += weight
        if reached >= share - 1e-9:
            return _short(size)
    return _short(max(sizes))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _widths(errors: Errors, kinds: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Half width of every class, and of each combination of stack and card inside it."""
    found: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        inside = [place for place, other in enumerate(kinds) if other == kind]
        names = [cells[place] for place in inside]
        found[kind] = {
            "all": _quantile((errors[place] for place in inside), names),
            "cells": {
                name: [count, _quantile(errors[p] for p in inside if cells[p] == name)]
                for name, count in sorted(Counter(names).items())
            },
        }
    return found


def speed_widths(
    problem: Problem, speed: Sequence[Observation], errors: Errors, start: Values
) -> dict[str, Any]:
    """Half widths of speeds per class, and what an unseen card or combination adds."""
    kinds = [kind_of(item.job, variable=item.variable) for item in speed]
    core = [item.scope == "core" for item in speed]
    cells = [cell_of(item.job) for item in speed]
    cards = [item.job.hardware.id for item in speed]
    widths = _widths(errors, kinds, cells)
    dense = widths["dense"]["all"]
    return {
        "speed": widths,
        "unseen_cell": _beyond(_median_by(left_out(problem, cells, start), cells, core), dense),
        "unseen_card": _beyond(_median_by(left_out(problem, cards, start), cards, core), dense),
        "cards": dict(sorted(Counter(cards).items())),
    }


def memory_widths(items: Sequence[Observation], errors: Errors) -> dict[str, Any]:
    """Half widths of peaks per class and stack."""
    return _widths(errors, [_memory_kind(item) for item in items], [i.job.stack for i in items])


def _memory_kind(item: Observation) -> str:
    return "moe" if item.job.model.experts else "variable_length" if item.variable else "dense"


def _median_by(errors: Errors, marks: Sequence[str], chosen: Sequence[bool]) -> Errors:
    """One error per mark: a crowded combination counts once."""
    kept: dict[str, Errors] = {}
    for error, mark, use in zip(errors, marks, chosen, strict=True):
        if use:
            kept.setdefault(mark, []).append(error)
    return [statistics.median(kept[mark]) for mark in sorted(kept)]


def _beyond(errors: Errors, known: float) -> float:
    """What an unseen part adds to the width of a seen one, in quadrature."""
    return _short(max(0.0, _quantile(errors) ** 2 - known**2) ** 0.5)


def pair_widths(
    pairs: Sequence[PublishedPair],
    speed: Sequence[Observation],
    speed_errors: Errors,
    memory: Sequence[Observation],
    memory_errors: Errors,
) -> dict[str, Any]:
    """80% width of the error of a ratio (parts of the model's error cancel): base + slope x change.

    The base is the quantile of pairs that hardly change; the slope lets 80% of all others in.
    """
    found: dict[str, Any] = {}
    for name, items, errors in (("speed", speed, speed_errors), ("memory", memory, memory_errors)):
        place = {item.id: index for index, item in enumerate(items)}
        gaps, changes = [], []
        for pair in pairs:
            if pair.memory == (name == "memory") and {pair.before, pair.after} <= set(place):
                before, after = place[pair.before], place[pair.after]
                gap = errors[after] - errors[before]
                gaps.append(abs(gap))
                changes.append(abs(_change(items[before], items[after], name) + gap))
        base = _quantile(gap for gap, one in zip(gaps, changes, strict=True) if one < SMALL_CHANGE)
        steep = [
            max(0.0, gap - base) / one
            for gap, one in zip(gaps, changes, strict=True)
            if one >= SMALL_CHANGE
        ]
        found |= {name: base, f"{name}_slope": _quantile(steep), f"{name}_pairs": len(gaps)}
    return found


def _change(before: Observation, after: Observation, name: str) -> float:
    """Published logarithm of after / before."""
    if name == "memory":
        return math.log((after.memory_gb or 1) / (before.memory_gb or 1))
    return math.log((after.step_s or 1) / (before.step_s or 1))


def report_errors(
    speed: Sequence[Observation], errors: Errors, memory: Sequence[Observation], peaks: Errors
) -> dict[str, Any]:
    """Errors of unseen runs as fractions of the published speed or memory."""
    off = [(item, abs(math.exp(-error) - 1)) for item, error in zip(speed, errors, strict=True)]
    held = [(item, abs(math.exp(error) - 1)) for item, error in zip(memory, peaks, strict=True)]
    exact = [(item, one) for item, one in off if item.scope != "variable"]
    return {
        "core": _summary(one for item, one in off if item.scope == "core"),
        "exact": _summary(one for _, one in exact),
        "all": _summary(one for _, one in off),
        "amd": _summary(one for item, one in exact if item.job.hardware.vendor == "amd"),
        "memory": _summary(one for item, one in held if not item.job.model.experts),
        "memory_moe": _summary(one for item, one in held if item.job.model.experts),
    }


def _summary(errors: Iterable[float]) -> dict[str, float]:
    found = list(errors)
    return {
        "runs": len(found),
        "mean": round(statistics.fmean(found), 4),
        "median": round(statistics.median(found), 4),
        "within_20": round(sum(error <= 0.2 for error in found) / len(found), 4),
    }


def scale_widths(
    widths: dict[str, Any], items: Sequence[Observation], errors: Errors
) -> dict[str, float]:
    """Factor per class with which widths of speeds hold `HELD` of the unseen runs.

    No class gets less than what all runs together need: a class that looks better than that has
    few sources, and the next one may be worse.
    """
    kinds = [kind_of(item.job, variable=item.variable) for item in items]
    once = {**widths, "scale": dict.fromkeys(kinds, 1.0)}
    excess = [
        abs(error) / speed_width(once, item.job, variable=item.variable)
        for item, error in zip(items, errors, strict=True)
    ]
    groups = [item.group for item in items]
    least = _held(excess, groups)
    found: dict[str, float] = {}
    for kind in sorted(set(kinds)):
        inside = [place for place, other in enumerate(kinds) if other == kind]
        own = _held([excess[place] for place in inside], [groups[place] for place in inside])
        found[kind] = max(least, own)
    return found


def _held(excess: Sequence[float], groups: Sequence[str]) -> float:
    """The factor that lets `HELD` of them in."""
    share = min(1.0, HELD * (1 + 1 / len(set(groups))))
    return _short(sorted(excess)[math.ceil(share * len(excess)) - 1])


def coverage(widths: dict[str, Any], items: Sequence[Observation], errors: Errors) -> float:
    """Share of unseen runs inside intervals whose widths were set without their own fifth.

    The stored widths are made to hold `HELD` of all runs, so asking these runs would prove nothing.
    """
    inside = 0
    for fold in range(FOLDS):
        others = [place for place, item in enumerate(items) if item.fold != fold]
        known = [items[place] for place in others]
        seen = [errors[place] for place in others]
        kinds = [kind_of(item.job, variable=item.variable) for item in known]
        cells = [cell_of(item.job) for item in known]
        own = {**widths, "speed": _widths(seen, kinds, cells)}
        own["cards"] = Counter(item.job.hardware.id for item in known)
        own["scale"] = scale_widths(own, known, seen)
        inside += sum(
            abs(error) <= speed_width(own, item.job, variable=item.variable)
            for item, error in zip(items, errors, strict=True)
            if item.fold == fold
        )
    return round(inside / len(items), 4)
