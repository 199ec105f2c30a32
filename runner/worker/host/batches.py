"""Which samples meet in which micro-batch: in order, grouped by length, or packed into rows.

The plan is a pure function of the stream, so every loader process and rank makes the same one.
Groups and packed rows are dealt out in a drawn order: a short window is then like the whole epoch,
where a length-sorted order would begin with its longest batches.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from audit.records.translated import Recipe
from runner.worker.host.samples import Stream

Row = tuple[int, ...]
"""Samples that share one row."""
MEGA = 50
"""Micro-batches that are sorted together: transformers' LengthGroupedSampler."""
PACK = 256
"""Samples that are packed together, best fit first, longest sample first."""


class Plan:
    """Micro-batch `number` as rows of sample indices."""

    def __init__(self, stream: Stream, recipe: Recipe, seed: int) -> None:
        self.stream, self.recipe, self.seed = stream, recipe, seed
        self._chunk = lru_cache(maxsize=8)(self._make_chunk)
        self._ends: list[int] = []
        """Micro-batches up to the end of each packed chunk."""

    def rows(self, number: int) -> tuple[Row, ...]:
        """The rows of one micro-batch."""
        size = self.recipe.micro_batch
        if self.recipe.padding == "grouped":
            mega, place = divmod(number, MEGA)
            return self._chunk(mega)[place]
        if self.recipe.padding == "packed":
            return self._packed(number)
        return tuple((index,) for index in range(number * size, (number + 1) * size))

    def _packed(self, number: int) -> tuple[Row, ...]:
        chunk = 0
        while True:
            if chunk == len(self._ends):
                before = self._ends[-1] if self._ends else 0
                self._ends.append(before + len(self._chunk(chunk)))
            if number < self._ends[chunk]:
                start = self._ends[chunk - 1] if chunk else 0
                return self._chunk(chunk)[number - start]
            chunk += 1

    def _make_chunk(self, chunk: int) -> tuple[tuple[Row, ...], ...]:
        size = self.recipe.micro_batch
        order = random.Random(self.seed * 7_919 + chunk)
        if self.recipe.padding == "grouped":
            count = MEGA * size
            first = chunk * count
            indices = sorted(range(first, first + count), key=lambda i: (-self.stream.length(i), i))
            rows: list[Row] = [(index,) for index in indices]
            batches = _cut(rows, size)
        else:
            first = chunk * PACK * size
            rows = pack(
                {i: self.stream.length(i) for i in range(first, first + PACK * size)},
                self.recipe.max_length,
            )
            order.shuffle(rows)
            batches = _cut(rows, size)
        order.shuffle(batches)
        return tuple(batches)


def pack(lengths: dict[int, int], room: int) -> list[Row]:
    """Whole samples into rows of `room` tokens, longest first, each into the fullest that fits."""
    rows: list[list[int]] = []
    by_room: dict[int, list[int]] = {}
    for index in sorted(lengths, key=lambda i: (-lengths[i], i)):
        need = lengths[index]
        left = min(
            (free for free, found in by_room.items() if free >= need and found), default=None
        )
        if left is None:
            rows.append([])
            place, left = len(rows) - 1, room
        else:
            place = by_room[left].pop()
        rows[place].append(index)
        by_room.setdefault(left - need, []).append(place)
    return [tuple(row) for row in rows]


def _cut(rows: Sequence[Row], size: int) -> list[tuple[Row, ...]]:
    """Micro-batches of `size` rows; a rest that fills none is left out."""
    return [tuple(rows[i : i + size]) for i in range(0, len(rows) - size + 1, size)]
