"""The interval of a ratio of two interleaved runs: paired rounds, block bootstrap, small samples.

Pure functions of step rows, in plain Python (a box that measures needs no numpy). Used by the
verdict, by the stop rule while the rounds still run, and by the benchmarks that prove both.

Method. A round holds the same number of steps of both arms back to back, AB and BA in turn. Its
value is the log of the ratio of real tokens per second, from exactly its own steps. Two rounds that
follow each other, one AB and one BA, form a block, so that a drift and the cost of going first
cancel inside it. The mean over blocks is the estimate; blocks drawn with replacement give its
interval (Kuensch 1989, "The jackknife and the bootstrap for general stationary observations").
Because few blocks make a plain percentile interval too narrow, its distances from the estimate are
stretched by sqrt(n / (n - 1)) t(n - 1) / z (Hesterberg 2015, "What teachers should know about the
bootstrap", section 5.3: the expanded percentile interval).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from audit.records.base import ArmName
from audit.records.comparison import Clock
from audit.records.measured import Manifest, StepRow
from audit.records.translated import TranslatedArm

BLOCK = 2
"""Rounds: one AB, one BA."""
DRAWS = 1000
Z95, Z80 = 1.96, 0.8416
"""Normal points of a two-sided 95% and of a one-sided 80%."""
_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
        2.12, 2.11, 2.10, 2.09, 2.09)  # fmt: skip
"""Two-sided 95% points of Student's t for 1, 2, ... degrees of freedom."""


class Estimate(NamedTuple):
    """A mean log ratio with its 95% interval."""

    low: float
    value: float
    high: float
    error: float
    """Standard error of `value`."""
    rounds: int
    blocks: int

    @property
    def half(self) -> float:
        """Half the width of the interval, in log."""
        return (self.high - self.low) / 2


def t95(freedom: int) -> float:
    """The two-sided 95% point of Student's t."""
    return _T95[freedom - 1] if freedom <= len(_T95) else Z95 + 2.4 / freedom


def log_speeds(rows: Iterable[StepRow], arm: ArmName, clock: Clock) -> dict[int, float]:
    """Round -> log of an arm's real tokens per second over that round's own steps.

    A round with a step that the clock did not time is left out.
    """
    tokens: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for row in rows:
        if row.arm != arm or row.round < 0:
            continue
        taken = row.seconds if clock == "wall" else row.cpu_seconds
        tokens[row.round] = tokens.get(row.round, 0) + row.real_tokens
        seconds[row.round] = seconds.get(row.round, 0.0) + (math.nan if taken is None else taken)
    return {
        number: math.log(tokens[number] / seconds[number])
        for number in tokens
        if tokens[number] and seconds[number] > 0
    }


def log_ratios(rows: Sequence[StepRow], clock: Clock) -> dict[int, float]:
    """Round -> log of patched / baseline in real tokens per second."""
    before = log_speeds(rows, "baseline", clock)
    after = log_speeds(rows, "patched", clock)
    return {number: after[number] - before[number] for number in sorted(before.keys() & after)}


def blocks_of(ratios: dict[int, float]) -> list[float]:
    """The mean of each AB and BA round that follow each other; a round left over stays out."""
    pairs: dict[int, list[float]] = {}
    for number, value in ratios.items():
        pairs.setdefault(number // BLOCK, []).append(value)
    return [fmean(values) for values in pairs.values() if len(values) == BLOCK]


def estimate(rows: Sequence[StepRow], clock: Clock, seed: int = 0) -> Estimate | None:
    """The mean log ratio of the paired rounds; None below two blocks (four rounds)."""
    ratios = log_ratios(rows, clock)
    blocks = blocks_of(ratios)
    return None if len(blocks) < 2 else bootstrap(blocks, seed)


def bootstrap(blocks: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of at least two blocks with its stretched percentile interval, seeded."""
    count, drawn = len(blocks), random.Random(seed)
    # sorted, so that the same blocks give the same interval in whatever order they came
    ordered, value = sorted(blocks), fmean(blocks)
    means = sorted(sum(drawn.choices(ordered, k=count)) / count for _ in range(DRAWS))
    stretch = math.sqrt(count / (count - 1)) * t95(count - 1) / Z95
    tail = round(0.025 * (DRAWS - 1))
    return Estimate(
        low=value - stretch * max(0.0, value - means[tail]),
        value=value,
        high=value + stretch * max(0.0, means[-1 - tail] - value),
        error=stdev(blocks) / math.sqrt(count),
        rounds=BLOCK * count,
        blocks=count,
    )


def half_width(rows: Sequence[StepRow], arms: Sequence[ArmName], clock: Clock) -> float:
    """Of the 95% interval, by Student's t: what the stop rule asks after every round.

    Of two arms: of their mean log ratio over blocks. Of one: of its log speed over rounds.
    """
    if len(arms) > 1:
        values = blocks_of(log_ratios(rows, clock))
    else:
        values = list(log_speeds(rows, arms[0], clock).values())
    if len(values) < 2:
        return math.inf
    return t95(len(values) - 1) * stdev(values) / math.sqrt(len(values))


def detectable(found: Estimate, margin: float) -> float:
    """The smallest true |speedup - 1| that four of five such comparisons would call.

    Args:
        found: the comparison.
        margin: the speedup that the interval's lower end must pass.
    """
    half = t95(found.blocks - 1) * found.error
    return margin * math.exp(half + Z80 * found.error) - 1


class ClockChoice(NamedTuple):
    """Which time the verdict is made of, and why."""

    clock: Clock
    why: str


def clock_of(
    manifest: Manifest, arms: Sequence[TranslatedArm], rows: Iterable[StepRow]
) -> ClockChoice:
    """Process CPU time where it holds all the work of a step, else the time on the wall.

    On a CPU that others use too, CPU time leaves out the moments in which the process was not on a
    core: it halves the noise. It is whole only where one process with one thread does everything.
    """
    if manifest.device_kind != "cpu":
        return ClockChoice("wall", "the work is done on the card")
    if manifest.ranks > 1 or manifest.threads > 1:
        return ClockChoice("wall", "several processes or threads share the work")
    if any(arm.recipe.loader.workers for arm in arms):
        return ClockChoice("wall", "loader processes do part of the work")
    if any(row.cpu_seconds is None for row in rows):
        return ClockChoice("wall", "the CPU time of the steps is not known")
    return ClockChoice("cpu", "one process with one thread does all the work of a step")
