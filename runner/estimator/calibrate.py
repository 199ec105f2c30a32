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
from runner.estimator.error_tables import error_tables
from runner.estimator.fit import Problem, solve
from runner.estimator.footprint import Footprint, measure_footprint
from runner.estimator.memory import (
    MEMORY_PRIORS,
    MemoryKeys,
    combine_memory,
    memory_keys,
    memory_prior,
    project_memory,
)
from runner.estimator.observed import Observation, load_observations
from runner.estimator.throughput import project_step
from runner.estimator.unseen import (
    Values,
    coverage,
    cross_validate,
    left_out,
    memory_widths,
    pair_widths,
    report_errors,
    scale_widths,
    speed_widths,
)
from runner.estimator.work import Work, measure_work

NOISE = {"speed": 0.10, "memory": 0.07}
"""Scatter (log) of one published figure around a good model; sets data against priors."""
SOFT = {"speed": 0.15, "memory": 0.05}
"""Residual (log) from which on a row counts linearly. Most peaks repeat to 1%, and those whose
recipe was guessed wrong miss by much: five folds go from 9.0 / 5.8% to 8.9 / 5.2% with 0.05."""
CROWD = 20
"""Rows of one card and source beyond which further ones count less: sqrt(n / 20)."""
TRUST = {"core": 1.0, "exact": 0.5, "variable": 0.25}


def main() -> int:
    """Fit, cross-validate, write, print the figures."""
    start = time.perf_counter()
    observations, pairs = load_observations()
    speed = [item for item in observations if item.step_s]
    memory = [item for item in observations if item.memory_gb]
    speed_problem, memory_problem = _speed_problem(speed), _memory_problem(memory)
    speed_values = solve(speed_problem, range(len(speed)))
    memory_values = solve(memory_problem, range(len(memory)))
    speed_errors = cross_validate(speed_problem, speed, speed_values)
    memory_errors = cross_validate(memory_problem, memory, memory_values)
    widths = speed_widths(speed_problem, speed, speed_errors, speed_values)
    widths["scale"] = scale_widths(widths, speed, speed_errors)
    widths["memory"] = memory_widths(memory, memory_errors)
    widths["pairs"] = pair_widths(pairs, speed, speed_errors, memory, memory_errors)
    errors = report_errors(speed, speed_errors, memory, memory_errors)
    errors["coverage"] = coverage(widths, speed, speed_errors)
    cards = left_out(speed_problem, [item.job.hardware.id for item in speed], speed_values)
    result: dict[str, Any] = {
        "about": "Written by python -m runner.estimator.calibrate; do not edit.",
        "speed": _rounded(speed_values),
        "memory": _rounded(memory_values),
        "intervals": widths,
        "errors": errors,
        "tables": error_tables(speed, speed_errors, memory, memory_errors, cards),
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
        SOFT["speed"],
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
        SOFT["memory"],
    )


def _problem(
    items: Sequence[Observation],
    observed: list[float],
    keys: Sequence[Any],
    priors: Any,
    prior: Callable[[str], Any],
    model: Callable[[Callable[[Any], Any]], Any],
    trust: list[float],
    soft: float,
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
        soft=soft,
    )


def _columns(rows: Sequence[Any]) -> list[Any]:
    return [numpy.array(column, dtype=float) for column in zip(*rows, strict=True)]


def _rounded(values: Values) -> Values:
    return {name: float(f"{value:.6g}") for name, value in values.items()}


if __name__ == "__main__":
    sys.exit(main())
