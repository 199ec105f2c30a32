"""Reads a unified diff into rows with their kind and line numbers, for whoever draws it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["file", "hunk", "added", "removed", "same", "note"]
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class Row(NamedTuple):
    """One line of a diff; the numbers are the line's place before and after."""

    kind: Kind
    text: str
    before: int | None = None
    after: int | None = None


def read_diff(diff: str) -> tuple[Row, ...]:
    """The rows of a unified diff. Lines of a hunk are counted, never guessed from their look."""
    rows: list[Row] = []
    before = after = before_left = after_left = 0
    for line in diff.split("\n"):
        if before_left > 0 or after_left > 0:
            sign, text = line[:1], line[1:]
            if sign == "\\":
                rows.append(Row("note", text.strip()))
            elif sign == "+":
                rows.append(Row("added", text, after=after))
                after, after_left = after + 1, after_left - 1
            elif sign == "-":
                rows.append(Row("removed", text, before=before))
                before, before_left = before + 1, before_left - 1
            else:
                rows.append(Row("same", text, before, after))
                before, before_left = before + 1, before_left - 1
                after, after_left = after + 1, after_left - 1
            continue
        hunk = _HUNK.match(line)
        if hunk:
            before, after = int(hunk[1]), int(hunk[3])
            before_left, after_left = int(hunk[2] or 1), int(hunk[4] or 1)
            rows.append(Row("hunk", line))
        elif line.startswith("+++ "):
            rows.append(Row("file", re.sub(r"^\+\+\+ (?:b/)?", "", line)))
        elif line.startswith("\\"):
            rows.append(Row("note", line[1:].strip()))
    return tuple(rows)
