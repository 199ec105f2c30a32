"""When each arm takes its turn, when warm-up is over, and when there is enough to tell.

Pure functions of numbers; the job asks them between commands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

from audit.records.base import ArmName
from audit.records.measured import StepRow
from audit.records.spec import Stop

ROUNDS = 25
"""Aim: enough paired rounds for a bootstrap, steps permitting."""
WARM_LEAST, WARM_MOST = 3, 10
SETTLED = 0.15
"""Warm-up ends when the newest step is this close to the mean of the two before it."""
_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
        2.12, 2.11, 2.10, 2.09, 2.09)  # fmt: skip
"""Two-sided 95% points of Student's t for 1, 2, ... degrees of freedom."""


def steps_per_round(steps: int) -> int:
    """Consecutive steps of one arm in a round."""
    return max(1, steps // ROUNDS)


def turn_of(arms: Sequence[ArmName], round_: int) -> tuple[ArmName, ...]:
    """The arms in the order of a round: AB, BA, AB, ... so that a drift hits both alike."""
    return tuple(arms) if round_ % 2 == 0 else tuple(reversed(arms))


def is_warm(seconds: Sequence[float]) -> bool:
    """Whether an arm's steps have stopped getting faster."""
    if len(seconds) < WARM_LEAST:
        return False
    before = mean(seconds[-3:-1])
    return len(seconds) >= WARM_MOST or abs(seconds[-1] - before) <= SETTLED * before


def log_speeds(rows: Sequence[StepRow], arm: ArmName) -> dict[int, float]:
    """Round -> log of an arm's real tokens per second over that round's own steps."""
    tokens: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for row in rows:
        if row.arm == arm and row.round >= 0:
            tokens[row.round] = tokens.get(row.round, 0) + row.real_tokens
            seconds[row.round] = seconds.get(row.round, 0.0) + row.seconds
    return {
        number: math.log(tokens[number] / seconds[number])
        for number in tokens
        if tokens[number] and seconds[number]
    }


def half_width(rows: Sequence[StepRow], arms: Sequence[ArmName]) -> float:
    """Of the 95% interval of the mean log ratio of paired rounds; of one arm: of its log speed."""
    speeds = [log_speeds(rows, arm) for arm in arms]
    shared = sorted(set.intersection(*map(set, speeds)))
    values = [speeds[-1][one] - (speeds[0][one] if len(speeds) > 1 else 0.0) for one in shared]
    if len(values) < 2:
        return math.inf
    freedom = len(values) - 1
    point = _T95[freedom - 1] if freedom <= len(_T95) else 1.96 + 2.4 / freedom
    return point * stdev(values) / math.sqrt(len(values))


def is_narrow(rows: Sequence[StepRow], arms: Sequence[ArmName], stop: Stop) -> bool:
    """Whether the interval is as narrow as asked for, after the least number of rounds."""
    done = {row.round for row in rows if row.round >= 0}
    return len(done) >= stop.least_rounds and half_width(rows, arms) <= stop.half_width
