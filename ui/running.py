"""The view of an audit that runs: title, timeline, findings so far, what closing the tab does."""

from __future__ import annotations

from html import escape

from audit.records.errors import UnknownName
from audit.records.report import Report
from kb.catalog.hardware import find_hardware
from ui.calls import calls_part
from ui.errors import broken_part, cancelled_part
from ui.figures import words
from ui.findings import found_so_far
from ui.leads import research_lines
from ui.step_chart import step_chart
from ui.timeline import DOING, LABELS, timeline
from ui.view import AuditView

WAITS = "Waits for its owner’s approval"
CLOSE_NOTE = (
    "You can close this tab. The audit goes on, and this page’s link reopens it. "
    "Cancel stops within one step and keeps what was found."
)


TIERS = {
    0: "decided every step up to the comparison",
    1: "benchmarked and patched; the rules compared",
    2: "stopped before the last benchmark, which the rules ran on the same runner",
    3: "stopped early; the rules finished the stages that were missing",
}


def title_of(view: AuditView) -> str:
    """What happens now, in plain words."""
    current = view.current
    if view.pending is not None:
        return WAITS
    if current is not None:
        return DOING[current.name]
    return "Waiting for its turn" if view.state == "waiting" else "Starting"


def status_text(view: AuditView) -> str:
    """What a screen reader is told: changes of stage and the end, nothing else."""
    if view.state == "done":
        return "The audit is finished."
    if view.state == "failed":
        return "The audit ended without a report."
    if view.state == "cancelled":
        return "The audit was cancelled."
    current = view.current
    if view.pending is not None:
        return f"{WAITS}."
    if current is None:
        return "The audit waits for its turn." if view.state == "waiting" else "The audit starts."
    place = [line.name for line in view.stages].index(current.name) + 1
    return f"Stage {place} of {len(view.stages)}: {LABELS[current.name]}"


def _card_name(hardware: str) -> str:
    """The card's full name; an id that the catalogue no longer has stands for itself."""
    try:
        return find_hardware(hardware).name
    except UnknownName:
        return hardware


def _meta(view: AuditView) -> str:
    if view.started is None:
        return ""
    started = view.started
    card = f"{started.gpus * started.nodes}x {_card_name(started.hardware)}"
    if started.hardware_origin == "assumed":
        card += " (assumed)"
    return (
        f'<div class="gg-meta"><span><b class="gg-mono">{escape(started.workload_name)}</b></span>'
        f"<span>{escape(card)}</span></div>"
    )


def run_head(view: AuditView) -> str:
    """Title of a running audit, or the headline of one that ended without a report."""
    if view.cancelled is not None:
        return cancelled_part(view.cancelled.text, _meta(view))
    if view.error is not None:
        return broken_part(view.error, _meta(view))
    since = escape(view.started_at or "")
    if view.state == "waiting" and view.waiting > 1:
        clock = (
            f'<span class="gg-range" data-waiting="{view.waiting}">{view.waiting} audits wait; '
            "turns go round the visitors</span>"
        )
        return (
            f'<div class="gg-head"><h1 tabindex="-1" id="gg-headline">{title_of(view)}</h1>'
            f"{clock}</div>"
        )
    clock = f'<span class="gg-range" data-since="{since}"></span>' if since else ""
    return (
        f'{_meta(view)}<div class="gg-head"><h1 tabindex="-1" id="gg-headline">'
        f"{escape(title_of(view))}</h1>{clock}</div>"
    )


def run_body(view: AuditView) -> str:
    """Timeline beside the findings so far."""
    note = "" if view.ended else f'<p class="gg-sub">{CLOSE_NOTE}</p>'
    found = found_so_far(view.findings, ended=view.ended)
    calls = calls_part(view.calls, view.used) if view.ended else ""
    chart = "" if view.ended else step_chart(view.points)
    return (
        f'<div class="gg-running" data-state="{view.state}" data-audit="{escape(view.audit_id)}">'
        f'<div class="gg-columns gg-wide-left"><div><div class="gg-card gg-pad">'
        f"{timeline(view.stages)}{chart}{research_lines(dict(view.research))}{calls}</div>{note}</div>"
        f"{found}</div></div>"
    )


def who_text(view: AuditView) -> str:
    """Who decided, and how far the backend came by itself: the tier in words."""
    report, backend = view.report, view.started.backend if view.started else "rules"
    if report is None or backend == "rules":
        return "By the rules; no model took part."
    told = TIERS[report.tier]
    if report.completed_by == "rules":
        told = "finished no stage; the rules did them all"
    return f'<span data-tier="{report.tier}">Tier {report.tier}:</span> {escape(backend)} {told}.'


def _why(report: Report | None) -> str:
    """Who did which stage and why they stopped, where a model was asked."""
    said = [one.message for one in report.notices if one.about == "audit"] if report else []
    lines = "".join(f"<p>{words(message)}</p>" for message in said)
    return f'<div class="gg-note gg-who"><div>{lines}</div></div>' if lines else ""


def finished_part(view: AuditView) -> str:
    """The timeline of a finished audit, for the end of its report."""
    return (
        f'<section class="gg-section gg-finished" id="gg-stages" data-state="{view.state}" '
        f'data-audit="{escape(view.audit_id)}">'
        f"<header><h2>How this audit ran</h2><p>{who_text(view)}</p></header>"
        f'<div class="gg-card gg-pad">{timeline(view.stages)}'
        f"{calls_part(view.calls, view.used)}</div>{_why(view.report)}</section>"
    )
