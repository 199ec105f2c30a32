"""Finds the largest micro-batch and the longest sequence that fit a card with the stated margin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from runner.estimator.card import capacity_gb
from runner.estimator.estimate import project_peak
from runner.estimator.job import Job
from runner.estimator.spread import spread_of

MARGIN = 0.9
"""A larger run is proposed only below this share of the card's memory, at the upper bound."""
MOST_SAMPLES, MOST_TOKENS = 65_536, 16_777_216


class Largest(NamedTuple):
    """What fits, everything else as it is; 0: not even the smallest."""

    micro_batch: int
    sequence: int
    """Tokens of the longest sample, at most what the model's positions allow."""
    margin: float
    """Share of the capacity that the upper bound of the peak may take."""
    capacity_gb: float


def find_largest(job: Job, micro_batch: int, *, variable: bool = False) -> Largest | None:
    """The largest of each, found by halving; None where nobody states the card's memory.

    Args:
        job: the run as written.
        micro_batch: its micro-batch as the file counts it (pairs of a preference task are one).
        variable: whether sample lengths vary and nobody states them.
    """
    capacity = capacity_gb(job.hardware)
    if capacity is None:
        return None
    allowed = MARGIN * capacity / math.exp(spread_of(job, variable=variable).memory)
    each = job.micro_batch / micro_batch
    longest = min(job.model.max or MOST_TOKENS, MOST_TOKENS)
    return Largest(
        micro_batch=_last(
            lambda count: project_peak(replace(job, micro_batch=count * each)) <= allowed,
            MOST_SAMPLES,
        ),
        sequence=_last(
            lambda tokens: project_peak(replace(job, longest=float(tokens))) <= allowed, longest
        ),
        margin=MARGIN,
        capacity_gb=capacity,
    )


def _last(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, where all smaller ones fit too; 0: none."""
    if fits(most):
        return most
    low, high = 0, 1
    while high < most and fits(high):
        low, high = high, 2 * high
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
