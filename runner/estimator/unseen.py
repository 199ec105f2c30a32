"""Measures errors on runs that a fit had not seen, and turns them into widths; calibration only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy

from runner.estimator.fit import Problem, predict, solve
from runner.estimator.observed import FOLDS, Observation, PublishedPair
from runner.estimator.spread import cell_of, kind_of, speed_width

HELD = 0.82
"""Share of unseen runs that the 80% intervals are made to hold: runs of other sources are worse."""
SMALL_CHANGE = 0.1
"""Ratios nearer to 1 than this (in log) set the width of a pair at no change."""
NOTHING_SEEN = 0.5
"""Half width of a class that no published run shows."""
Values = dict[str, float]


def _left_out(problem: Problem, marks: Sequence[object], start: Values) -> Any:
    """Errors (log prediction - log published) of each part by a fit without it."""
    errors = numpy.zeros(len(marks))
    for mark in sorted(set(marks), key=str):
        inside = [place for place, other in enumerate(marks) if other == mark]
        outside = [place for place, other in enumerate(marks) if other != mark]
        values = solve(problem, outside, start)
        errors[inside] = predict(problem, values, inside) - problem.observed[inside]
    return errors


def cross_validate(problem: Problem, items: Sequence[Observation], start: Values) -> Any:
    """Errors of each fifth by a fit of three others: as much unseen as a user's own run is."""
    errors = numpy.zeros(len(items))
    folds = [item.fold for item in items]
    for fold in range(FOLDS):
        inside = [place for place, other in enumerate(folds) if other == fold]
        unseen = (fold, (fold + 1) % FOLDS)
        outside = [place for place, other in enumerate(folds) if other not in unseen]
        values = solve(problem, outside, start)
        errors[inside] = predict(problem, values, inside) - problem.observed[inside]
    return errors


def _quantile(errors: Any, groups: Sequence[str] = ()) -> float:
    """80% quantile of absolute errors; every group weighs the same however many runs it has.

    Small samples are corrected by (n + 1) / n.
    """
    if not len(errors):
        return NOTHING_SEEN
    sizes = Counter(groups)
    weights = numpy.array([1 / sizes[group] for group in groups] or [1.0] * len(errors))
    order = numpy.argsort(numpy.abs(errors))
    reached = numpy.cumsum(weights[order]) / weights.sum()
    share = min(1.0, 0.8 * (1 + 1 / len(errors)))
    place = min(int(numpy.searchsorted(reached, share)), len(errors) - 1)
    return float(f"{abs(errors[order[place]]):.4g}")


def _widths(errors: Any, kinds: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Half width of every class, and of each combination of stack and card inside it."""
    found: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        inside = [place for place, other in enumerate(kinds) if other == kind]
        names = [cells[place] for place in inside]
        chosen = errors[inside]
        found[kind] = {
            "all": _quantile(chosen, names),
            "cells": {
                name: [count, _quantile(chosen[numpy.array(names) == name])]
                for name, count in sorted(Counter(names).items())
            },
        }
    return found


def speed_widths(
    problem: Problem, speed: Sequence[Observation], errors: Any, start: Values
) -> dict[str, Any]:
    """Half widths of speeds per class, and what an unseen card or combination adds."""
    kinds = [kind_of(item.job, variable=item.variable) for item in speed]
    core = numpy.array([item.scope == "core" for item in speed])
    cells = [cell_of(item.job) for item in speed]
    cards = [item.job.hardware.id for item in speed]
    cell_errors = _left_out(problem, cells, start)[core]
    card_errors = _left_out(problem, cards, start)[core]
    widths = _widths(errors, kinds, cells)
    dense = widths["dense"]["all"]
    return {
        "speed": widths,
        "unseen_cell": _beyond(_median_by(cell_errors, cells, core), dense),
        "unseen_card": _beyond(_median_by(card_errors, cards, core), dense),
        "cards": dict(sorted(Counter(cards).items())),
    }


def memory_widths(items: Sequence[Observation], errors: Any) -> dict[str, Any]:
    """Half widths of peaks per class and stack."""
    stacks = [item.job.stack for item in items]
    return _widths(errors, [_memory_kind(item) for item in items], stacks)


def _memory_kind(item: Observation) -> str:
    return "moe" if item.job.model.experts else "variable_length" if item.variable else "dense"


def _median_by(errors: Any, marks: Sequence[str], chosen: Any) -> Any:
    """One error per mark: a crowded combination counts once."""
    kept = numpy.array(marks)[chosen]
    return numpy.array([numpy.median(errors[kept == mark]) for mark in sorted(set(kept))])


def _beyond(errors: Any, known: float) -> float:
    """What an unseen part adds to the width of a seen one, in quadrature."""
    return float(f"{max(0.0, _quantile(errors) ** 2 - known**2) ** 0.5:.4g}")


def pair_widths(
    pairs: Sequence[PublishedPair],
    speed: Sequence[Observation],
    speed_errors: Any,
    memory: Sequence[Observation],
    memory_errors: Any,
) -> dict[str, Any]:
    """80% width of the error of a ratio (parts of the model's error cancel): base + slope x change.

    The base is the quantile of pairs that hardly change; the slope lets 80% of all others in.
    """
    found: dict[str, Any] = {}
    for name, items, errors in (("speed", speed, speed_errors), ("memory", memory, memory_errors)):
        place = {item.id: index for index, item in enumerate(items)}
        usable = [
            (place[pair.before], place[pair.after])
            for pair in pairs
            if pair.memory == (name == "memory") and pair.before in place and pair.after in place
        ]
        gaps = numpy.array([abs(errors[after] - errors[before]) for before, after in usable])
        change = numpy.array([_change(items, name, before, after) for before, after in usable])
        change = numpy.abs(change + numpy.array([errors[a] - errors[b] for b, a in usable]))
        small = change < SMALL_CHANGE
        base = _quantile(gaps[small])
        slope = _quantile(numpy.maximum(0, gaps[~small] - base) / change[~small])
        found |= {name: base, f"{name}_slope": slope, f"{name}_pairs": len(usable)}
    return found


def _change(items: Sequence[Observation], name: str, before: int, after: int) -> float:
    """Published logarithm of after / before."""
    first, second = items[before], items[after]
    if name == "memory":
        return float(numpy.log((second.memory_gb or 1) / (first.memory_gb or 1)))
    return float(numpy.log((second.step_s or 1) / (first.step_s or 1)))


def report_errors(
    speed: Sequence[Observation], errors: Any, memory: Sequence[Observation], memory_errors: Any
) -> dict[str, Any]:
    """Errors of unseen runs as fractions of the published speed or memory."""
    off = numpy.abs(numpy.exp(-errors) - 1)
    core = numpy.array([item.scope == "core" for item in speed])
    exact = numpy.array([item.scope in ("core", "exact") for item in speed])
    amd = numpy.array([item.job.hardware.vendor == "amd" for item in speed])
    held = numpy.abs(numpy.exp(memory_errors) - 1)
    kinds = numpy.array([_memory_kind(item) for item in memory])
    return {
        "core": _summary(off[core]),
        "exact": _summary(off[exact]),
        "all": _summary(off),
        "amd": _summary(off[amd & exact]),
        "memory": _summary(held[kinds != "moe"]),
        "memory_moe": _summary(held[kinds == "moe"]),
    }


def _summary(errors: Any) -> dict[str, float]:
    return {
        "runs": len(errors),
        "mean": round(float(numpy.mean(errors)), 4),
        "median": round(float(numpy.median(errors)), 4),
        "within_20": round(float(numpy.mean(errors <= 0.2)), 4),
    }


def scale_widths(widths: dict[str, Any], items: Sequence[Observation], errors: Any) -> float:
    """Factor on all widths of speeds with which they hold `HELD` of the unseen runs."""
    once = {**widths, "scale": 1.0}
    excess = [
        abs(error) / speed_width(once, item.job, variable=item.variable)
        for item, error in zip(items, errors, strict=True)
    ]
    return float(f"{numpy.quantile(excess, HELD):.4g}")


def coverage(widths: dict[str, Any], items: Sequence[Observation], errors: Any) -> float:
    """Share of unseen runs inside their interval."""
    inside = [
        abs(error) <= speed_width(widths, item.job, variable=item.variable)
        for item, error in zip(items, errors, strict=True)
    ]
    return round(float(sum(inside)) / len(inside), 4)
