"""What research brought back: a table of leads, marked unverified; and its status while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from audit.export.addresses import web_address
from audit.records.lead import Lead
from audit.records.report import Report

UNVERIFIED = (
    "Found by reading, not checked by a rule or a benchmark, and not in your patch. "
    "Figures are the source’s own."
)

HEADS = (
    "Change", "Evidence", "Source expects", "Source measured", "Source", "Confidence",
)  # fmt: skip
UNSTATED = '<span class="gg-unstated">not stated</span>'


def leads_part(report: Report) -> str:
    """The section; empty where nothing was researched."""
    if not report.leads:
        return ""
    rows = "".join(map(_row, report.leads))
    heads = "".join(f"<th scope=col>{name}</th>" for name in HEADS)
    return (
        '<section class="gg-section" id="gg-leads"><header><h2>Unverified leads</h2>'
        f'<p>{UNVERIFIED}</p></header><div class="gg-card gg-pad gg-scroll" tabindex="0" '
        f'role="region" aria-label="Unverified leads"><table class="gg-leads"><thead><tr>{heads}'
        f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def research_lines(texts: Mapping[str, str]) -> str:
    """One status line for each research that runs or ran, by the id of its call."""
    items = "".join(
        f'<li data-call="{escape(call_id)}">{escape(text)}</li>' for call_id, text in texts.items()
    )
    return f'<ul class="gg-sub gg-research">{items}</ul>' if items else ""


def _row(lead: Lead) -> str:
    cells = (
        escape(lead.change),
        escape(lead.evidence),
        escape(lead.expected or "") or UNSTATED,
        escape(lead.measured or "") or UNSTATED,
        _source(lead.source),
        lead.confidence,
    )
    said = (
        f'<td data-head="{head}"><div>{cell}</div></td>'
        for head, cell in zip(HEADS, cells, strict=True)
    )
    return f"<tr>{''.join(said)}</tr>"


def _source(source: str) -> str:
    """A link for an address of the web; an id of the knowledge base as it is."""
    shown = escape(source)
    address = web_address(source)
    if address:
        return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    return f'<span class="gg-mono">{shown}</span>'
