"""The patch as a coloured table with signs and line numbers."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import zip_longest

from audit.export.diff_rows import Kind, Row, read_diff
from audit.records.patch import Patch
from ui.marks import copy_button, press_button
from ui.marks import icon as picture

_SIGN: dict[Kind, str] = {"added": "+", "removed": "-"}
_SPOKEN: dict[Kind, str] = {"added": "added", "removed": "removed"}


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
        f'<div class="gg-diff gg-unified" role="region" aria-label="Patch, unified diff" '
        f'tabindex="0"><table><tbody>{body}</tbody></table></div>'
    )


def _cell(row: Row | None, place: int | None) -> str:
    """Line number, sign and text of one side; an empty side has no ground."""
    if row is None:
        return '<td class="gg-line"></td><td class="gg-sign"></td><td></td>'
    look = f" gg-{row.kind}" if row.kind in _SPOKEN else ""
    spoken = f'<span class="gg-sr">{_SPOKEN[row.kind]}: </span>' if look else ""
    return (
        f'<td class="gg-line{look}">{place}</td>'
        f'<td class="gg-sign{look}" aria-hidden="true">{_SIGN.get(row.kind, "")}</td>'
        f'<td class="{look.strip()}">{spoken}{escape(row.text.rstrip(chr(13)))}</td>'
    )


def _pairs(rows: tuple[Row, ...]) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of a diff side by side: a run of removed lines beside the added lines that follow it."""
    removed: list[Row] = []
    added: list[Row] = []
    for row in rows:
        if row.kind == "removed" and not added:
            removed.append(row)
        elif row.kind == "added":
            added.append(row)
        else:
            yield from zip_longest(removed, added)
            removed, added = ([row], []) if row.kind == "removed" else ([], [])
            if row.kind != "removed":
                yield row, row
    yield from zip_longest(removed, added)


def side_table(diff: str) -> str:
    """The same rows side by side: the user's file left, the patched one right."""
    rows = read_diff(diff)
    several = sum(row.kind == "file" for row in rows) > 1
    body = ""
    for left, right in _pairs(rows):
        if left is right and left is not None and left.kind != "same":
            if several or left.kind != "file":
                text = escape(left.text)
                body += f'<tr class="gg-{left.kind}"><td colspan="6">{text}</td></tr>'
            continue
        before, after = left and left.before, right and right.after
        body += f"<tr>{_cell(left, before)}{_cell(right, after)}</tr>"
    return (
        '<div class="gg-diff gg-beside" role="region" aria-label="Patch, side by side" '
        'tabindex="0"><table><colgroup><col class="gg-line"><col class="gg-sign"><col></colgroup>'
        '<colgroup><col class="gg-line"><col class="gg-sign"><col></colgroup><thead><tr>'
        '<th scope="colgroup" colspan="3">Your file</th>'
        '<th scope="colgroup" colspan="3">Patched</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _ways() -> str:
    """Which of the two tables is shown; the page remembers it."""
    buttons = "".join(
        f'<button type="button" data-diff-way="{way}" aria-pressed="{pressed}">{text}</button>'
        for way, pressed, text in (
            ("unified", "true", "Unified"),
            ("beside", "false", "Side by side"),
        )
    )
    return f'<span class="gg-ways" role="group" aria-label="How to show the patch">{buttons}</span>'


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
    exact = exact_text(patch.diff, "gg-diff-text")
    save = press_button("gg-download-patch", ".patch", small=True, picture=picture("download"))
    return (
        '<section class="gg-card gg-patch" id="gg-patch"><header class="gg-bar"><h3>'
        "Your patch</h3>"
        f'<span><b class="gg-plus">+{added}</b> <b class="gg-minus">−{removed}</b>'
        f'<span class="gg-sr"> lines added and removed</span></span>'
        f'<span class="gg-right gg-actions">{_ways()}{copy}{save}</span></header>'
        f"{diff_table(patch.diff)}{side_table(patch.diff)}{exact}</section>"
    )
