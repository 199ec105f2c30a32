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


def leads_part(report: Report) -> str:
    """The section; empty where nothing was researched."""
    if not report.leads:
        return ""
    rows = "".join(map(_row, report.leads))
    return (
        '<section class="gg-section" id="gg-leads"><header><h2>Unverified leads</h2>'
        f'<p>{UNVERIFIED}</p></header><div class="gg-card gg-pad gg-scroll"><table>'
        "<thead><tr><th scope=col>Change</th><th scope=col>Evidence</th>"
        "<th scope=col>Source expects</th><th scope=col>Source measured</th>"
        "<th scope=col>Source</th><th scope=col>Confidence</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
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
        escape(lead.expected or "not stated"),
        escape(lead.measured or "not stated"),
        _source(lead.source),
        lead.confidence,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _source(source: str) -> str:
    """A link for an address of the web; an id of the knowledge base as it is."""
    shown = escape(source)
    address = web_address(source)
    if address:
        return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    return f'<span class="gg-mono">{shown}</span>'
