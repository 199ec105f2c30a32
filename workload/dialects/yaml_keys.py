"""The known key that a misspelt one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable

MAX_EDITS = 2


def nearest_key(name: str, known: Iterable[str]) -> str | None:
    """The known key within two edits (one for short names), ignoring case and dashes."""
    plain = _plain(name)
    limit = MAX_EDITS if len(plain) > 5 else 1
    letters = set(plain)
    best: tuple[int, str] | None = None
    for candidate in known:
        other = _plain(candidate)
        if abs(len(other) - len(plain)) > limit or len(letters ^ set(other)) > 2 * limit:
            continue
        distance = _distance(plain, other, limit)
        if distance <= limit and (best is None or (distance, candidate) < best):
            best = (distance, candidate)
    return best[1] if best else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _distance(one: str, other: str, limit: int) -> int:
    """Edits (insert, delete, replace, swap neighbours) between two words, up to limit + 1."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i, *[0] * len(other)]
        for j, mine in enumerate(other, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != mine))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == mine:
                row[j] = min(row[j], older[j - 2] + 1)
        if min(row) > limit:
            return limit + 1
    return row[-1]
