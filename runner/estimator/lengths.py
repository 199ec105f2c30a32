"""Token lengths of samples: what padding costs, from p50, p95 and the cut.

A lognormal is laid through p50 and p95 and cut at the longest sample or at max_seq_len. The longest
of a batch of b samples costs all b of them when batches are padded.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from audit.records.workload import DataLengths

ASSUMED = DataLengths(
    p50=310,
    p95=900,
    max=2048,
    origin="assumed",
    source="no lengths stated: instruction data of 310 tokens at the median, 900 at 95%",
)
_P95 = 1.6448536269514722
"""The 95% point of the standard normal distribution."""
_POINTS = 256


class Spread(NamedTuple):
    """A lognormal: logarithm of the median, and its standard deviation."""

    center: float
    width: float


class Padding(NamedTuple):
    """What one sample costs in tokens."""

    real: float
    """Mean length after the cut."""
    processed: float
    """Mean cost after padding to the longest of the micro-batch."""
    longest: float
    """What the longest micro-batch costs per sample: memory must hold it."""
    square: float
    """Mean square of the length after the cut: attention within samples goes with it."""

    @property
    def efficiency(self) -> float:
        """Real tokens / processed tokens."""
        return self.real / self.processed


def fit_spread(lengths: DataLengths) -> Spread:
    """The lognormal through p50 and p95."""
    median = max(1.0, float(lengths.p50))
    width = math.log(max(1.0, lengths.p95 / median)) / _P95
    return Spread(math.log(median), width)


def spread_of_moments(mean: float, deviation: float) -> Spread:
    """The lognormal of a mean and standard deviation."""
    variance = math.log(1 + (deviation / mean) ** 2)
    return Spread(math.log(mean) - variance / 2, math.sqrt(variance))


def pad_batches(lengths: DataLengths, micro_batch: int, cut: int | None) -> Padding:
    """Cost per sample when every micro-batch is padded to its own longest sample."""
    longest = float(min(lengths.max, cut or lengths.max))
    return pad_spread(fit_spread(lengths), micro_batch, longest)


@lru_cache(maxsize=4096)
def pad_spread(spread: Spread, micro_batch: int, cut: float, *, drop: bool = False) -> Padding:
    """The same from a distribution; `drop`: samples beyond the cut are left out, not shortened.

    Means are integrals of the survival function: E[max of b] = integral of 1 - F(x)^b.
    """
    below = _shares(spread, cut)
    if drop:
        below = tuple(min(1.0, share / below[-1]) for share in below)
    step = cut / _POINTS
    real = step * sum(1 - share for share in below)
    most = step * sum(1 - share**micro_batch for share in below)
    square = 2 * step * sum((1 - share) * (i + 0.5) * step for i, share in enumerate(below))
    return Padding(real, most, cut, square)


def exact(length: float) -> Padding:
    """Every sample has the same length."""
    return Padding(length, length, length, length * length)


@lru_cache(maxsize=512)
def _shares(spread: Spread, cut: float) -> tuple[float, ...]:
    """Share of samples shorter than each point of an even grid up to the cut."""
    if spread.width == 0:
        median = math.exp(spread.center)
        return tuple(float((i + 0.5) * cut / _POINTS >= median) for i in range(_POINTS))
    scale = 1 / (spread.width * math.sqrt(2))
    return tuple(
        0.5 * (1 + math.erf((math.log((i + 0.5) * cut / _POINTS) - spread.center) * scale))
        for i in range(_POINTS)
    )
