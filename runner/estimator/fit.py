"""Fits coefficients to published rows: robust least squares with Gaussian priors in log space.

Only the calibration imports this module: it needs numpy. The model's own arithmetic
(`throughput`, `memory`) runs here on columns, so what is fitted is exactly what is projected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from runner.estimator.coefficients import Prior

Columns = Any
"""A numpy array, one number per row."""
ITERATIONS = 30
SOFT = 0.15
"""Residuals beyond this (in log) count linearly: a published table holds errors of its own.
Speeds; peaks of unstated recipes miss by whole multiples, see `calibrate.SOFT`."""


@dataclass(frozen=True)
class Problem:
    """Rows to fit: `predict(value)` gives the logarithm of the prediction for every row."""

    names: tuple[str, ...]
    priors: tuple[Prior, ...]
    predict: Callable[[Callable[[Any], Columns]], Columns]
    observed: Columns
    weights: Columns
    keyed: dict[str, tuple[str, ...]]
    """Field of the keys -> name of the coefficient that each row uses."""
    soft: float = SOFT
    """Residual from which on a row counts linearly."""


def solve(
    problem: Problem, rows: Sequence[int], start: dict[str, float] | None = None
) -> dict[str, float]:
    """Coefficients that fit the given rows; names untouched by the data keep their prior.

    `start` only shortens the way: the minimum does not depend on it.
    """
    chosen = numpy.array(sorted(rows))
    centre = numpy.log([prior.value for prior in problem.priors])
    spread = numpy.array([prior.spread for prior in problem.priors])
    lookup = _Lookup(problem, chosen)
    theta = numpy.log([start[name] for name in problem.names]) if start else centre.copy()
    damping = 1e-2
    error, cost = _residuals(problem, lookup, theta, chosen, centre, spread)
    for _ in range(ITERATIONS):
        slope = _jacobian(problem, lookup, theta, chosen)
        scale = _robust(error, problem.soft) * numpy.sqrt(problem.weights[chosen])
        weighted = slope * scale[:, None]
        gradient = weighted.T @ (error * scale) + (theta - centre) / spread**2
        curve = weighted.T @ weighted + numpy.diag(1 / spread**2)
        while True:
            step = numpy.linalg.solve(curve + damping * numpy.diag(numpy.diag(curve)), gradient)
            trial_error, trial = _residuals(problem, lookup, theta - step, chosen, centre, spread)
            if trial < cost or damping > 1e6:
                break
            damping *= 4
        gain = cost - trial
        theta, error, cost = theta - step, trial_error, trial
        damping = max(1e-6, damping / 4)
        if gain < 1e-5 * cost:
            break
    return {name: float(numpy.exp(value)) for name, value in zip(problem.names, theta, strict=True)}


def predict(problem: Problem, values: dict[str, float], rows: Sequence[int]) -> Columns:
    """Logarithms of the predictions for the given rows."""
    chosen = numpy.array(sorted(rows))
    lookup = _Lookup(problem, chosen)
    theta = numpy.log([values[name] for name in problem.names])
    return problem.predict(lookup.of(theta))[chosen]


class _Lookup:
    """Turns a vector of logarithms into what `combine` asks for: numbers and columns."""

    def __init__(self, problem: Problem, rows: Columns) -> None:
        self._index = {name: place for place, name in enumerate(problem.names)}
        self._columns = {
            field: numpy.array([self._index[name] for name in names])
            for field, names in problem.keyed.items()
        }

    def of(self, theta: Columns) -> Callable[[Any], Columns]:
        values = numpy.exp(theta)

        def value(name: Any) -> Columns:
            column = self._columns.get(name)
            return values[self._index[name]] if column is None else values[column]

        return value


def _residuals(
    problem: Problem,
    lookup: _Lookup,
    theta: Columns,
    rows: Columns,
    centre: Columns,
    spread: Columns,
) -> tuple[Columns, float]:
    error = problem.predict(lookup.of(theta))[rows] - problem.observed[rows]
    soft = problem.soft
    loss = 2 * soft**2 * (numpy.sqrt(1 + (error / soft) ** 2) - 1)
    prior = ((theta - centre) / spread) ** 2
    return error, float((loss * problem.weights[rows]).sum() + prior.sum())


def _robust(error: Columns, soft: float) -> Columns:
    return (1 + (error / soft) ** 2) ** -0.25


def _jacobian(problem: Problem, lookup: _Lookup, theta: Columns, rows: Columns) -> Columns:
    base = problem.predict(lookup.of(theta))[rows]
    slope = numpy.empty((len(rows), len(theta)))
    for place in range(len(theta)):
        moved = theta.copy()
        moved[place] += 1e-4
        slope[:, place] = (problem.predict(lookup.of(moved))[rows] - base) / 1e-4
    return slope
