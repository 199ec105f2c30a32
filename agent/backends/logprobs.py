"""Collects the log-probabilities that an OpenAI-compatible server sends beside its tokens.

They are asked for only with GOBLIN_LOGPROBS=1, and kept for exports to reinforcement learning; no
step of an audit reads them.
"""

from __future__ import annotations

import math

from audit.records.base import Json
from audit.records.sampled import Sampled

MAX_TOKENS_KEPT = 4096
"""Of one turn; of a longer one nothing is kept, since a part of it has no use."""


class Sampling:
    """The tokens of one answer, chunk by chunk; one that cannot be read voids them all."""

    def __init__(self) -> None:
        self._tokens: list[bytes] = []
        self._logprobs: list[float] = []
        self._void = False

    def take(self, told: Json) -> None:
        """The `logprobs` of a choice, in a chunk or a whole answer."""
        entries = told.get("content") if isinstance(told, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            token, logprob = _read(entry)
            if token is None or logprob is None or len(self._tokens) >= MAX_TOKENS_KEPT:
                self._void = True
                return
            self._tokens.append(token)
            self._logprobs.append(logprob)

    def kept(self) -> Sampled | None:
        """What was told of the whole answer; None where that was nothing, or not readable."""
        if self._void or not self._tokens:
            return None
        try:
            text = b"".join(self._tokens).decode()
        except UnicodeDecodeError:
            return None
        lengths = tuple(map(len, self._tokens))
        return Sampled(text=text, lengths=lengths, logprobs=tuple(self._logprobs))


def _read(entry: Json) -> tuple[bytes | None, float | None]:
    """A token's bytes, which are stated apart where it is no text by itself, and its logarithm."""
    if not isinstance(entry, dict):
        return None, None
    logprob, text, stated = entry.get("logprob"), entry.get("token"), entry.get("bytes")
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None, None
    if not math.isfinite(logprob) or logprob > 0:
        return None, None
    if isinstance(stated, list) and all(isinstance(one, int) and 0 <= one < 256 for one in stated):
        return bytes(stated), round(float(logprob), 6)
    return (text.encode() if isinstance(text, str) else None), round(float(logprob), 6)
