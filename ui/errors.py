"""What the page says when something went wrong: place, reason, next step; the text stays."""

from __future__ import annotations

import re
from html import escape

from audit.records.events import ErrorData
from ui.figures import words
from ui.marks import shape

AROUND = 5
"""Lines shown before and after the one at fault."""

HEADINGS: dict[str, str] = {
    "input": "This file cannot be audited",
    "backend": "The audit could not be driven",
    "runner": "The runner could not start",
    "budget": "The budget was used up",
    "interrupted": "This audit was interrupted",
    "internal": "Something in GPU Goblin broke",
}
NEXT: dict[str, str] = {
    "interrupted": "The server stopped while it ran. The browser that started it can run it again.",
    "internal": "This is our fault, not your file's. Nothing of your file was changed.",
}


def _place_and_reason(error: ErrorData) -> tuple[str, str]:
    """The two parts of the message; a message without its place gets one from file and line."""
    if error.file is None:
        return "", error.message
    place, colon, reason = error.message[len(error.file) :].partition(": ")
    if error.message.startswith(error.file) and colon:
        return error.file + place, reason
    line = f", line {error.line}" if error.line is not None else ""
    return error.file + line, error.message


def place_of(error: ErrorData) -> str:
    """`config.yml, line 24, column 3`."""
    return _place_and_reason(error)[0]


def reason_of(error: ErrorData) -> str:
    """The message without its place and its remedy, which stand apart."""
    reason = _place_and_reason(error)[1]
    return reason.removesuffix(error.remedy).rstrip() if error.remedy else reason


def column_of(error: ErrorData) -> int | None:
    """The column that the place names."""
    found = re.search(r", column (\d+)$", place_of(error))
    return int(found[1]) if found else None


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else text + "."


def error_note(error: ErrorData) -> str:
    """The note itself: place and reason in bold, the next step below."""
    place = place_of(error)
    reason = reason_of(error)
    bold = f"{place}: {reason}" if place else _sentence(reason)
    bold = bold if bold.endswith((".", "?", "!")) else bold + "."
    remedy = _sentence(error.remedy or NEXT.get(error.kind, ""))
    second = f"<br>{words(remedy)}" if remedy else ""
    return (
        f'<div class="gg-error" data-error="{error.kind}">'
        f'<span class="gg-critical">{shape("critical")}</span>'
        f"<div><h2>{HEADINGS[error.kind]}</h2><p><b>{words(bold)}</b>{second}</p></div></div>"
    )


def excerpt(name: str, text: str, line: int | None, column: int | None = None) -> str:
    """The lines around the one at fault, marked by a sign and a ground. `text` is redacted."""
    if line is None:
        return ""
    lines = text.splitlines()
    if not 1 <= line <= len(lines) + 1:
        return ""
    first = max(1, line - AROUND)
    rows = []
    for place in range(first, min(len(lines), line + AROUND) + 1):
        here = place == line
        sign = "▸" if here else ""
        spoken = '<span class="gg-sr">at fault: </span>' if here else ""
        rows.append(
            f'<tr class="{"gg-fault" if here else "gg-same"}"><td class="gg-line">{place}</td>'
            f'<td class="gg-sign" aria-hidden="true">{sign}</td><td>'
            f"{spoken}{escape(lines[place - 1])}</td></tr>"
        )
        if here and column is not None:
            caret = " " * max(0, column - 1) + "^"
            rows.append(
                f'<tr class="gg-fault" aria-hidden="true"><td class="gg-line"></td>'
                f'<td class="gg-sign"></td><td>{caret} column {column}</td></tr>'
            )
    return (
        '<section class="gg-card gg-excerpt"><header class="gg-bar"><b class="gg-mono">'
        f"{escape(name)}</b>"
        f'</header><div class="gg-diff" role="region" aria-label="The lines at fault" tabindex="0">'
        f"<table><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def error_part(error: ErrorData, shown: str = "") -> str:
    """The whole answer to a bad input: the note and, where there is one, the excerpt."""
    kept = (
        '<p class="gg-sub">What you gave is still in the form. Nothing was run.</p>'
        if error.kind == "input"
        else ""
    )
    return f'<div class="gg-trouble">{error_note(error)}{shown}{kept}</div>'


def gone_part(asked: str) -> str:
    """The answer to a link whose audit is not there, or whose id is none."""
    return (
        '<section class="gg-card gg-verdict"><div class="gg-head">'
        '<h1 tabindex="-1" id="gg-headline">No audit under this link</h1></div>'
        f'<p class="gg-lede">“{escape(asked[:64])}” is no audit we know of. It was deleted, '
        "it is past its "
        "retention, or the link is incomplete. Sample links keep working; your file needs a "
        "new audit.</p>"
        '<div class="gg-actions"><a class="gg-button gg-primary" href="./">Audit a file</a>'
        "</div></section>"
    )


def cancelled_part(text: str, about: str = "") -> str:
    """The headline of an audit that its owner stopped."""
    return (
        f'<section class="gg-card gg-verdict">{about}<div class="gg-head">'
        '<h1 tabindex="-1" id="gg-headline">Cancelled</h1></div>'
        f'<p class="gg-lede">{escape(_sentence(text or "You stopped this audit"))} '
        "There is no patch.</p></section>"
    )


def broken_part(error: ErrorData, about: str = "") -> str:
    """The headline of an audit that ended without a report, seen from its link."""
    said = words(_sentence(reason_of(error)))
    place = place_of(error)
    where = f"<b>{escape(place)}.</b> " if place else ""
    remedy = words(_sentence(error.remedy or NEXT.get(error.kind, "")))
    return (
        f'<section class="gg-card gg-verdict" data-error="{error.kind}">{about}'
        '<div class="gg-head">'
        f'<h1 tabindex="-1" id="gg-headline">{HEADINGS[error.kind]}</h1></div>'
        f'<p class="gg-lede">{where}{said} {remedy}</p>'
        '<div class="gg-actions"><a class="gg-button gg-primary" href="./">Audit a file</a>'
        "</div></section>"
    )
