"""How wide an 80% interval is: from errors on published runs that the fit had not seen.

The half width (in log) is the 80% quantile of cross-validated errors of the job's class and of its
combination of training code and card. A combination that no published run shows adds the error of
leaving such a one out, shrinking with the number of runs: the honest width for most AMD cards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from runner.estimator.coefficients import fitted
from runner.estimator.job import Job

Kind = Literal["dense", "short_step", "multi_node", "moe", "variable_length"]
FEW = 4
"""Runs of a combination that count as much as its class."""
SHORT_STEP = 4096
"""Tokens per micro-batch below which launches dominate."""


class Spread(NamedTuple):
    """Half widths in log: value / exp(x) .. value x exp(x) holds 80%."""

    speed: float
    memory: float


def kind_of(job: Job, *, variable: bool) -> Kind:
    """The class whose errors set the width."""
    if job.model.experts:
        return "moe"
    if job.layout.gpus > 8:
        return "multi_node"
    if variable:
        return "variable_length"
    return "short_step" if job.micro_tokens < SHORT_STEP else "dense"


def cell_of(job: Job) -> str:
    """The combination of training code and card."""
    return f"{job.stack}:{job.hardware.id}"


def spread_of(job: Job, *, variable: bool) -> Spread:
    """Half widths of one job."""
    widths = fitted()["intervals"]
    kind = "moe" if job.model.experts else "variable_length" if variable else "dense"
    return Spread(
        speed=speed_width(widths, job, variable=variable),
        memory=_shrunk(widths["memory"][kind], job.stack),
    )


def speed_width(widths: Mapping[str, Any], job: Job, *, variable: bool) -> float:
    """Half width of a speed: class, combination, and what was never seen together."""
    name = kind_of(job, variable=variable)
    cell, kind = cell_of(job), widths["speed"][name]
    seen = _shrunk(kind, cell)
    runs = kind["cells"].get(cell, (0, 0.0))[0]
    if not runs:
        seen = max(seen, widths["speed"]["dense"]["all"])
    unseen = widths["unseen_cell"] ** 2 / (1 + runs)
    unseen += widths["unseen_card"] ** 2 / (1 + widths["cards"].get(job.hardware.id, 0))
    return float(widths["scale"][name]) * math.sqrt(seen**2 + unseen)


def _shrunk(kind: Mapping[str, Any], cell: str) -> float:
    """The combination's own width, pulled to that of its class where runs are few."""
    runs, own = kind["cells"].get(cell, (0, 0.0))
    return math.sqrt((runs * own**2 + FEW * kind["all"] ** 2) / (runs + FEW))


def pair_spread(log_ratio: float) -> Spread:
    """Half widths of the ratio of two projections: errors of published before/after pairs.

    Small changes are known best: the width grows with the size of the change.
    """
    widths = fitted()["intervals"]["pairs"]
    return Spread(
        speed=widths["speed"] + widths["speed_slope"] * abs(log_ratio),
        memory=widths["memory"] + widths["memory_slope"] * abs(log_ratio),
    )
