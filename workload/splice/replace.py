"""Changes applied to a text: ordered, the same change once, overlaps refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from workload.dialects import CannotEdit, Change
from workload.source import SourceText


def order_changes(changes: Iterable[Change]) -> list[Change]:
    """In the order of the text; insertions at one place keep the order they were asked in.

    Raises:
        CannotEdit: two changes overlap.
    """
    unique = list(dict.fromkeys(changes))
    ordered = sorted(unique, key=lambda change: (change.start, change.end > change.start))
    for before, after in pairwise(ordered):
        if after.start < before.end:
            reason = "two edits want the same characters"
            raise CannotEdit(reason, "Make one of them by hand")
    return ordered


def apply_changes(source: SourceText, ordered: Sequence[Change]) -> SourceText:
    """The file with the changes made; every other character stays."""
    parts: list[str] = []
    at = 0
    for change in ordered:
        parts += [source.text[at : change.start], change.text]
        at = change.end
    return source.with_text("".join([*parts, source.text[at:]]))


def line_changes(before: SourceText, after: SourceText) -> list[Change]:
    """Changes of whole lines between two texts, for edits that were made one after the other."""
    old, new = _lines(before.text), _lines(after.text)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        Change(starts[i1], starts[i2], "".join(new[j1:j2]))
        for tag, i1, i2, j1, j2 in blocks
        if tag != "equal"
    ]


def _lines(text: str) -> list[str]:
    """Lines with their line feeds."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
