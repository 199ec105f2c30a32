"""Lays a server's log-probabilities onto the tokens of an export where both cut the text alike.

The export writes a turn in its own form (tags, end marks), maybe with another tokenizer. A token
gets the server's figure only where the model wrote those very bytes and the server's token begins
and ends where this one does; every other token gets none: 0 would say "certain".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audit.records.sampled import Sampled


class Piece(NamedTuple):
    """One token of an export: its id, and its bytes in the text that was encoded."""

    id: int
    start: int
    end: int


class _Window(NamedTuple):
    """A stretch of the turn that the model wrote byte for byte."""

    start: int
    end: int
    shift: int
    """From a place in the turn to the same place in what was sampled."""


def logprobs_of(
    text: str, written: Sequence[str], pieces: Sequence[Piece], sampled: Sampled | None
) -> list[float | None]:
    """One entry per piece.

    Args:
        text: what was encoded.
        written: the parts of it that the model wrote, in order: its words, each call's JSON.
        pieces: the tokens of `text`.
        sampled: what the server told; None: nothing.
    """
    given = sampled.spans() if sampled is not None else {}
    if not given or sampled is None:
        return [None] * len(pieces)
    windows = _windows(text.encode(), written, sampled.text.encode())
    found: list[float | None] = []
    for piece in pieces:
        shift = next(
            (w.shift for w in windows if w.start <= piece.start < piece.end <= w.end), None
        )
        place = None if shift is None else (piece.start + shift, piece.end + shift)
        found.append(given.get(place) if place is not None else None)
    return found


def _windows(text: bytes, written: Sequence[str], sampled: bytes) -> list[_Window]:
    found: list[_Window] = []
    here = there = 0
    for part in written:
        said = part.encode()
        start, same = text.find(said, here), sampled.find(said, there)
        if not said or start < 0 or same < 0:
            continue
        end, shift = start + len(said), same - start
        while (
            start > here and start + shift > there and text[start - 1] == sampled[start + shift - 1]
        ):
            start -= 1  # tags that the model wrote itself
        while end < len(text) and end + shift < len(sampled) and text[end] == sampled[end + shift]:
            end += 1
        here, there = end, end + shift
        found.append(_Window(start, end, shift))
    return found
