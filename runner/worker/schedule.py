"""When each arm takes its turn, when warm-up is over, and when there is enough to tell.

Pure functions of numbers; the job asks them between commands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean

from audit.records.base import ArmName
from audit.records.comparison import Clock
from audit.records.measured import StepRow
from audit.records.spec import Stop
from runner.statistics import half_width

ROUNDS = 25
"""Aim: enough paired rounds for a bootstrap, steps permitting."""
WARM_LEAST, WARM_MOST = 3, 10
SETTLED = 0.15
"""Warm-up ends when the newest step is this close to the mean of the two before it."""


def steps_per_round(steps: int, pair_seconds: float = 0.0, budget: float = math.inf) -> int:
    """Consecutive steps of one arm in a round.

    Args:
        steps: timed steps asked of each arm.
        pair_seconds: one step of every arm, as warmed up.
        budget: seconds of all rounds; a round is short enough for `ROUNDS` of them.
    """
    affordable = budget / pair_seconds if pair_seconds > 0 else math.inf
    return max(1, int(min(steps, affordable)) // ROUNDS)


def turn_of(arms: Sequence[ArmName], round_: int) -> tuple[ArmName, ...]:
    """The arms in the order of a round: AB, BA, AB, ... so that a drift hits both alike."""
    return tuple(arms) if round_ % 2 == 0 else tuple(reversed(arms))


def is_warm(seconds: Sequence[float]) -> bool:
    """Whether an arm's steps have stopped getting faster."""
    if len(seconds) < WARM_LEAST:
        return False
    before = mean(seconds[-3:-1])
    return len(seconds) >= WARM_MOST or abs(seconds[-1] - before) <= SETTLED * before


def is_narrow(
    rows: Sequence[StepRow], arms: Sequence[ArmName], stop: Stop, clock: Clock = "wall"
) -> bool:
    """Whether the interval is as narrow as asked for, after the least number of rounds."""
    done = {row.round for row in rows if row.round >= 0}
    return len(done) >= stop.least_rounds and half_width(rows, arms, clock) <= stop.half_width
