"""Puts the parts of a finished report together in the order of a reader's questions."""

from __future__ import annotations

from audit.records.report import Report
from ui.findings import findings_part
from ui.verdict import well_tuned


def findings_heading(report: Report) -> str:
    """The heading over findings and patch."""
    if well_tuned(report):
        return ""
    title = "Findings and your patch" if report.patch.diff else "Findings"
    offered = any(not edit.applied and edit.semantics == "dynamics" for edit in report.patch.edits)
    said = (
        "<p>Edits that change what the model learns are offered, never applied by themselves.</p>"
        if offered
        else ""
    )
    return f'<header class="gg-section-head"><h2>{title}</h2>{said}</header>'


def findings_column(report: Report) -> str:
    """The left column: all findings."""
    return findings_part(report)
