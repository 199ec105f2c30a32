"""The verdict on two measured arms: from the paired rounds of one job, never from two runs.

`runner.compare` asks here where both arms were measured; `runner.statistics` has the method.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from audit.records.base import Interval
from audit.records.comparison import Clock
from audit.records.finding import Semantics
from audit.records.measured import MeasuredRun, StepRow
from runner.parity import loss_parity
from runner.statistics import ClockChoice, Estimate, clock_of, detectable, estimate

OTHER: dict[Clock, Clock] = {"wall": "cpu", "cpu": "wall"}
CLOCK_NAMES: dict[Clock, str] = {"wall": "elapsed time", "cpu": "process CPU time"}


class Paired(NamedTuple):
    """What the rounds of one job say."""

    speedup: Interval
    fields: dict[str, Any]
    """Of a Comparison: counts, clock, detectable effect, parity."""
    told: str
    """On how many rounds and which clock it rests, and why, in plain sentences."""


def paired(run: MeasuredRun, semantics: Semantics, margin: float) -> Paired | None:
    """The speedup of the patched arm over the baseline; None below four complete rounds.

    Args:
        run: both arms, interleaved.
        semantics: the weakest class among the edits that ran, for the loss.
        margin: what the interval must pass to be called.
    """
    rows = [row for arm in run.arms for row in arm.timed]
    choice = clock_of(run.manifest, run.translation.arms, rows)
    found = estimate(rows, choice.clock)
    if found is None:
        return None
    other = estimate(rows, OTHER[choice.clock])
    steps = _steps(rows, found)
    verdict, parity = loss_parity(run, semantics)
    fields = {
        "interval_kind": "paired_rounds",
        "rounds": found.rounds,
        "steps": steps,
        "clock": choice.clock,
        "other_clock": interval_of(other) if other is not None else None,
        "minimum_detectable_effect": detectable(found, margin),
        "loss_parity": verdict,
        "parity": parity,
    }
    told = _told(choice, found, steps, other)
    if parity is not None and parity.reason:
        told += f" {parity.reason}"
    return Paired(interval_of(found), fields, told)


def interval_of(found: Estimate) -> Interval:
    """As a ratio."""
    return Interval(low=math.exp(found.low), value=math.exp(found.value), high=math.exp(found.high))


def _steps(rows: list[StepRow], found: Estimate) -> int:
    """Timed steps of one arm in the rounds used."""
    return sum(row.arm == "patched" and row.round < found.rounds for row in rows)


def _told(choice: ClockChoice, found: Estimate, steps: int, other: Estimate | None) -> str:
    text = (
        f"It rests on {found.rounds} paired rounds, {steps} steps of each run, by "
        f"{CLOCK_NAMES[choice.clock]}, because {choice.why}."
    )
    if other is not None:
        span = interval_of(other)
        text += (
            f" By {CLOCK_NAMES[OTHER[choice.clock]]} it is {span.value:.2f} "
            f"({span.low:.2f} to {span.high:.2f})."
        )
    return text
