"""How wide an 80% interval is: from errors on published runs that the fit had not seen.

The half width (in log) is the 80% quantile of cross-validated errors of the job's class. A stack on
a card that no published run combines adds the error of leaving such a combination out, shrinking
with the number of runs: the honest width for most AMD cards.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from runner.estimator.coefficients import fitted
from runner.estimator.job import Job

Kind = Literal["dense", "short_step", "multi_node", "moe", "variable_length"]
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
    kind = kind_of(job, variable=variable)
    runs = widths["runs"]
    cell = runs["cells"].get(cell_of(job), 0)
    card = runs["cards"].get(job.hardware.id, 0)
    unseen = widths["unseen_cell"] ** 2 / (1 + cell) + widths["unseen_card"] ** 2 / (1 + card)
    memory_kind = "moe" if job.model.experts else "variable_length" if variable else "dense"
    return Spread(
        speed=math.sqrt(widths["speed"][kind] ** 2 + unseen),
        memory=widths["memory"][memory_kind],
    )


def pair_spread(log_ratio: float) -> Spread:
    """Half widths of the ratio of two projections: errors of published before/after pairs.

    Small changes are known best: the width grows with the size of the change.
    """
    widths = fitted()["intervals"]["pairs"]
    return Spread(
        speed=widths["speed"] + widths["speed_slope"] * abs(log_ratio),
        memory=widths["memory"] + widths["memory_slope"] * abs(log_ratio),
    )
