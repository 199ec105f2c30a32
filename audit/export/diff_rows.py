"""Reads a unified diff into rows with their kind and line numbers, for whoever draws it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["file", "hunk", "added", "removed", "same", "note"]
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")
_LETTERS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
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
            rows.append(Row("file", _name(line.removeprefix("+++ "))))
        elif line.startswith("\\"):
            rows.append(Row("note", line[1:].strip()))
    return tuple(rows)


def _name(written: str) -> str:
    """The file's own name, without git's prefix and quoting (octal bytes of UTF-8)."""
    name = written.partition("\t")[0]
    if name.startswith('"') and name.endswith('"'):
        quoted = _ESCAPE.sub(lambda found: chr(_byte(found[1])), name[1:-1])
        name = quoted.encode("latin-1", "replace").decode("utf-8", "replace")
    return name.removeprefix("b/")


def _byte(escape: str) -> int:
    return int(escape, 8) if len(escape) == 3 else _LETTERS.get(escape, ord(escape))
