"""Fits the model to the published figures: `python -m runner.estimator.calibrate`.

Writes data/parameters.json: coefficients, widths of intervals, and the errors that a report shows.
Every error in it is of runs that the fit had not seen: five folds that keep repeated runs together,
and fits that leave out one card or one combination of card and training code. Deterministic; under
a minute; the only part of the estimator that needs numpy.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from runner.estimator.coefficients import (
    DATA,
    SPEED_PRIORS,
    Keys,
    combine,
    prior_of,
    speed_keys,
)
from runner.estimator.fit import Problem, predict, solve
from runner.estimator.footprint import Footprint, measure_footprint
from runner.estimator.memory import (
    MEMORY_PRIORS,
    MemoryKeys,
    combine_memory,
    memory_keys,
    memory_prior,
    project_memory,
)
from runner.estimator.observed import FOLDS, Observation, PublishedPair, load_observations
from runner.estimator.spread import cell_of, kind_of, speed_width
from runner.estimator.throughput import project_step
from runner.estimator.work import Work, measure_work

NOISE = {"speed": 0.10, "memory": 0.07}
"""Scatter (log) of one published figure around a good model; sets data against priors."""
CROWD = 20
"""Rows of one card and source beyond which further ones count less: sqrt(n / 20)."""
SMALL_CHANGE = 0.1
"""Ratios nearer to 1 than this (in log) set the width of a pair at no change."""
TRUST = {"core": 1.0, "exact": 0.5, "variable": 0.25}
NOTHING_SEEN = 0.5
"""Half width of a class that no published run shows."""
Values = dict[str, float]


def main() -> int:
    """Fit, cross-validate, write, print the figures."""
    start = time.perf_counter()
    observations, pairs = load_observations()
    speed = [item for item in observations if item.step_s]
    memory = [item for item in observations if item.memory_gb]
    speed_problem, memory_problem = _speed_problem(speed), _memory_problem(memory)
    speed_values = solve(speed_problem, range(len(speed)))
    memory_values = solve(memory_problem, range(len(memory)))
    speed_errors = _cross_validate(speed_problem, speed, speed_values)
    memory_errors = _cross_validate(memory_problem, memory, memory_values)
    widths = _intervals(speed_problem, speed, speed_errors, speed_values)
    widths["memory"] = _memory_widths(memory, memory_errors)
    widths["pairs"] = _pair_widths(pairs, speed, speed_errors, memory, memory_errors)
    errors = _report(speed, speed_errors, memory, memory_errors)
    errors["coverage"] = _coverage(widths, speed, speed_errors)
    result: dict[str, Any] = {
        "about": "Written by python -m runner.estimator.calibrate; do not edit.",
        "speed": _rounded(speed_values),
        "memory": _rounded(memory_values),
        "intervals": widths,
        "errors": errors,
    }
    path = DATA / "parameters.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"errors": errors, "intervals": widths}, indent=1))
    print(f"{len(speed)} speeds, {len(memory)} peaks, {time.perf_counter() - start:.1f} s")
    return 0


def _speed_problem(items: Sequence[Observation]) -> Problem:
    columns = Work(*_columns([measure_work(item.job) for item in items]))
    keys = [speed_keys(item.job) for item in items]
    fields = Keys(*Keys._fields)
    return _problem(
        items,
        [item.step_s or 0.0 for item in items],
        keys,
        SPEED_PRIORS,
        prior_of,
        lambda value: numpy.log(project_step(columns, combine(value, fields)).total),
        [TRUST[item.scope] / NOISE["speed"] ** 2 for item in items],
    )


def _memory_problem(items: Sequence[Observation]) -> Problem:
    columns = Footprint(*_columns([measure_footprint(item.job) for item in items]))
    keys = [memory_keys(item.job) for item in items]
    fields = MemoryKeys(*MemoryKeys._fields)
    trust = [0.1 if item.job.model.experts else 0.3 if item.variable else 1.0 for item in items]
    return _problem(
        items,
        [item.memory_gb or 0.0 for item in items],
        keys,
        MEMORY_PRIORS,
        memory_prior,
        lambda value: numpy.log(project_memory(columns, combine_memory(value, fields)).total),
        [share / NOISE["memory"] ** 2 for share in trust],
    )


def _problem(
    items: Sequence[Observation],
    observed: list[float],
    keys: Sequence[Any],
    priors: Any,
    prior: Callable[[str], Any],
    model: Callable[[Callable[[Any], Any]], Any],
    trust: list[float],
) -> Problem:
    keyed = {field: tuple(getattr(key, field) for key in keys) for field in keys[0]._fields}
    names = tuple(dict.fromkeys([*priors, *(name for column in keyed.values() for name in column)]))
    crowd = Counter((item.job.hardware.id, item.source) for item in items)
    share = [max(1.0, crowd[(item.job.hardware.id, item.source)] / CROWD) ** -0.5 for item in items]
    return Problem(
        names=names,
        priors=tuple(prior(name) for name in names),
        predict=model,
        observed=numpy.log(observed),
        weights=numpy.array(trust) * numpy.array(share),
        keyed=keyed,
    )


def _columns(rows: Sequence[Any]) -> list[Any]:
    return [numpy.array(column, dtype=float) for column in zip(*rows, strict=True)]


def _rounded(values: Values) -> Values:
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def _left_out(problem: Problem, marks: Sequence[object], start: Values) -> Any:
    """Errors (log prediction - log published) of each part by a fit without it."""
    errors = numpy.zeros(len(marks))
    for mark in sorted(set(marks), key=str):
        inside = [place for place, other in enumerate(marks) if other == mark]
        outside = [place for place, other in enumerate(marks) if other != mark]
        values = solve(problem, outside, start)
        errors[inside] = predict(problem, values, inside) - problem.observed[inside]
    return errors


def _cross_validate(problem: Problem, items: Sequence[Observation], start: Values) -> Any:
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


def _intervals(
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


def _memory_widths(items: Sequence[Observation], errors: Any) -> dict[str, Any]:
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


def _pair_widths(
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


def _report(
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


def _coverage(widths: dict[str, Any], items: Sequence[Observation], errors: Any) -> float:
    """Share of unseen runs inside their interval."""
    inside = [
        abs(error) <= speed_width(widths, item.job, variable=item.variable)
        for item, error in zip(items, errors, strict=True)
    ]
    return round(float(sum(inside)) / len(inside), 4)


if __name__ == "__main__":
    sys.exit(main())
