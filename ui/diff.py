"""The patch as a coloured table with signs and line numbers."""

from __future__ import annotations

from html import escape

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
