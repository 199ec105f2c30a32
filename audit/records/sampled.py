"""What a server said of the tokens that it sampled for one turn: their log-probabilities."""

from __future__ import annotations

from audit.records.base import Record


class Sampled(Record):
    """One answer, token by token. Redacted like every text: where that changed it, nothing fits."""

    text: str
    """All tokens, joined."""
    lengths: tuple[int, ...]
    """Bytes of UTF-8 of each token."""
    logprobs: tuple[float, ...]
    """Natural logarithm of the probability of each, as the server states it."""

    def spans(self) -> dict[tuple[int, int], float]:
        """First byte and end of each token -> its log-probability; {} where they do not fit."""
        if len(self.lengths) != len(self.logprobs) or sum(self.lengths) != len(self.text.encode()):
            return {}
        found: dict[tuple[int, int], float] = {}
        start = 0
        for length, logprob in zip(self.lengths, self.logprobs, strict=True):
            found[start, start + length] = logprob
            start += length
        return found
