"""The patch as a coloured table with signs and line numbers, read from a unified diff."""

from __future__ import annotations

import re
from html import escape
from typing import Literal, NamedTuple

from audit.records.patch import Patch
from ui.marks import copy_button, press_button
from ui.marks import icon as picture

Kind = Literal["file", "hunk", "added", "removed", "same", "note"]
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_SIGN: dict[Kind, str] = {"added": "+", "removed": "-"}
_SPOKEN: dict[Kind, str] = {"added": "added", "removed": "removed"}


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


def _row(row: Row) -> str:
    if row.kind in ("file", "hunk", "note"):
        return f'<tr class="gg-{row.kind}"><td colspan="4">{escape(row.text)}</td></tr>'
    sign = _SIGN.get(row.kind, "")
    spoken = f'<span class="gg-sr">{_SPOKEN[row.kind]}: </span>' if row.kind in _SPOKEN else ""
    before = "" if row.before is None else row.before
    after = "" if row.after is None else row.after
    return (
        f'<tr class="gg-{row.kind}"><td class="gg-line">{before}</td><td class="gg-line">'
        f"{after}</td>"
        f'<td class="gg-sign" aria-hidden="true">{sign}</td>'
        f"<td>{spoken}{escape(row.text.rstrip(chr(13)))}</td></tr>"
    )


def diff_table(diff: str) -> str:
    """The rows as a table; the file's name is a row only where several files change."""
    rows = read_diff(diff)
    several = sum(row.kind == "file" for row in rows) > 1
    body = "".join(_row(row) for row in rows if several or row.kind != "file")
    return (
        f'<div class="gg-diff" role="region" aria-label="Patch, unified diff" tabindex="0">'
        f"<table><tbody>{body}</tbody></table></div>"
    )


def exact_text(text: str, target: str) -> str:
    """The text itself, unseen, for the copy button and for tests; carriage returns survive."""
    kept = escape(text).replace("\r", "&#13;")
    return f'<pre id="{target}" hidden>\n{kept}</pre>'


def patch_part(patch: Patch) -> str:
    """The card that holds the diff; empty where no line of the file changes."""
    if not patch.diff:
        return ""
    added = sum(file.added for file in patch.files)
    removed = sum(file.removed for file in patch.files)
    copy = copy_button("gg-diff-text", described="Copy the patch")
    save = press_button("gg-download-patch", ".patch", small=True, picture=picture("download"))
    return (
        '<section class="gg-card gg-patch" id="gg-patch"><header class="gg-bar"><h3>'
        "Your patch</h3>"
        f'<span><b class="gg-plus">+{added}</b> <b class="gg-minus">−{removed}</b>'
        f'<span class="gg-sr"> lines added and removed</span></span>'
        f'<span class="gg-right gg-actions">{copy}{save}</span></header>'
        f"{diff_table(patch.diff)}{exact_text(patch.diff, 'gg-diff-text')}</section>"
    )
