"""The synthetic training data: sample i has the same tokens in both arms and in every process.

Lengths follow the lognormal through p50 and p95, cut at the longest; tokens follow a skewed
distribution, so that a loss has something to learn and parity something to tell.
"""

from __future__ import annotations

import math
import random

import torch

from audit.records.translated import Samples

P95 = 1.6448536269514722
"""The 95% point of the standard normal distribution."""


class Stream:
    """An endless row of samples."""

    def __init__(self, samples: Samples, cut: int, vocab: int, seed: int) -> None:
        """`cut`: tokens at which a sample is shortened; `vocab`: size of the vocabulary."""
        self.longest = max(2, min(samples.longest, cut))
        self.vocab, self.seed = vocab, seed
        self._center = math.log(max(2, samples.p50))
        self._width = math.log(max(1.0, samples.p95 / max(1, samples.p50))) / P95

    def length(self, index: int) -> int:
        """Tokens of one sample, at least 2: one to read and one to predict."""
        drawn = random.Random(self.seed * 1_000_003 + index).gauss(0.0, 1.0)
        return max(2, min(self.longest, round(math.exp(self._center + self._width * drawn))))

    def tokens(self, index: int) -> torch.Tensor:
        """Token ids of one sample, from 3 on: 0 to 2 are pad, begin and end."""
        source = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        drawn = torch.rand(self.length(index), generator=source)
        return 3 + (drawn**3 * (self.vocab - 3)).long()
