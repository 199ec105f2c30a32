"""The elements that exported HTML is made of: escaped text, figures with badge, tables, a page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from audit.export.addresses import web_address
from audit.export.diff_rows import read_diff
from audit.export.figures import Row
from audit.export.html_style import STYLE
from audit.export.printable import printable
from audit.records.base import Provenance
from audit.records.finding import Source

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Nothing is loaded and nothing runs, whatever text a report holds."""
WORDS: dict[Provenance, str] = {
    "measured": "Measured",
    "imported": "Imported",
    "stated": "Stated",
    "projected": "Projected",
}
SIGNS = {"added": "+", "removed": "-"}


def text(said: str) -> str:
    """Plain text as HTML; control characters, which HTML cannot hold, are shown as such."""
    return escape(printable(said))


def badge(provenance: Provenance, anchored: bool = False) -> str:
    """Where a figure comes from: dashed always means that nothing ran."""
    anchor = ", anchored" if anchored else ""
    return (
        f'<span class="badge {provenance}" data-badge="{provenance}">'
        f"{WORDS[provenance]}{anchor}</span>"
    )


def figure_table(rows: Iterable[Row], heads: Iterable[str]) -> str:
    """A row per metric, a column per arm: value, interval, badge in every cell."""
    head = "".join(f'<th scope="col" class="number">{text(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{text(row.label)}</th>{"".join(map(_cell, _named(row)))}</tr>'
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">metric</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _named(row: Row) -> Iterable[tuple[Row, int]]:
    return ((row, place) for place in range(len(row.cells)))


def _cell(at: tuple[Row, int]) -> str:
    row, place = at
    cell = row.cells[place]
    if cell is None:
        return '<td class="number">-</td>'
    kind = cell.provenance.rpartition(" ")[2]
    return (
        f'<td class="number" data-metric="{row.metric}" data-arm="{place}" '
        f'data-provenance="{kind}"><b>{text(cell.value)}</b>{text(cell.ends)} '
        f'<span class="badge {kind}">{cell.provenance}</span></td>'
    )


def source_link(source: Source) -> str:
    """A source with its date; a link where it has a web address."""
    address = web_address(source.url)
    title = text(source.title)
    if address:
        title = f'<a href="{escape(address)}" rel="noopener noreferrer">{title}</a>'
    else:
        title += f" <code>{text(source.url)}</code>"
    return f"{title}, {text(source.as_of)}"


def diff_table(diff: str) -> str:
    """A unified diff with signs, colours and line numbers."""
    body = []
    for row in read_diff(diff):
        if row.kind in ("file", "hunk", "note"):
            body.append(f'<tr class="{row.kind}"><td colspan="4">{text(row.text)}</td></tr>')
            continue
        before, after = ("" if line is None else line for line in (row.before, row.after))
        sign = SIGNS.get(row.kind, "")
        line = text(row.text.rstrip("\r"))
        body.append(
            f'<tr class="{row.kind}"><td class="line">{before}</td><td class="line">{after}</td>'
            f"<td>{sign}</td><td>{line}</td></tr>"
        )
    return f'<div class="diff"><table><tbody>{"".join(body)}</tbody></table></div>'


def document(title: str, body: Iterable[str]) -> str:
    """One self-contained file: no script, no font, no picture from elsewhere."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )
