"""The history of one browser: its audits as a table to open, filter, compare and delete."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from agent.jobs import Summary
from audit.records.base import PROVENANCES, Interval, Provenance
from audit.records.errors import UnknownName
from audit.records.finding import SEVERITIES
from kb.catalog.hardware import find_hardware
from ui.figures import count, marked, times, times_between
from ui.marks import provenance_badge, severity_mark
from ui.verdict import FORMATS

MOST_COMPARED = 4
"""Columns that a screen holds side by side."""
STATES = {
    "waiting": "Waiting for its turn",
    "running": "Running now",
    "failed": "Ended without a report",
    "cancelled": "Cancelled",
}


def card_text(summary: Summary) -> str:
    """`8x AMD Instinct MI300X`; an id that the catalogue no longer has stands for itself."""
    try:
        name = find_hardware(summary.hardware).name
    except UnknownName:
        name = summary.hardware
    return f"{summary.gpus}x {name}" if name else ""


def _speed(summary: Summary) -> str:
    if summary.status != "done":
        return f'<span class="gg-muted">{STATES[summary.status]}</span>'
    verdicts = {
        "no_difference": "No difference",
        "failed": "Failed",
        "not_comparable": "No figures" if summary.findings else "Not comparable",
    }
    word = verdicts.get(summary.verdict or "", "")
    if summary.speedup is None:
        return escape(word if summary.findings or word == "Failed" else "")
    value = marked("speedup", times(summary.speedup), _provenance(summary) or "projected")
    ends = ""
    if summary.low is not None and summary.high is not None and summary.low < summary.high:
        interval = Interval(low=summary.low, value=summary.speedup, high=summary.high)
        ends = f" <span>{times_between(interval)}</span>"
    return f"{value}{ends}"


def _provenance(summary: Summary) -> Provenance | None:
    return next((name for name in PROVENANCES if name == summary.provenance), None)


def _badge(summary: Summary) -> str:
    known = _provenance(summary)
    return provenance_badge(known) if known else ""


def _findings(summary: Summary) -> str:
    if summary.findings is None:
        return ""
    if not summary.findings:
        return severity_mark("passed", "Nothing to fix")
    worst = [kind for kind in SEVERITIES if summary.severities.get(kind)]
    if not worst:
        return count(summary.findings, "finding")
    said = ", ".join(f"{summary.severities[kind]} {kind}" for kind in worst[:2])
    return severity_mark(worst[0], said)


def _searched(summary: Summary) -> str:
    """What the filter looks at."""
    parts = (
        summary.workload_name,
        FORMATS.get(summary.format, summary.format),
        card_text(summary),
        summary.hardware,
        summary.provenance or "",
        STATES.get(summary.status, ""),
        "nothing to fix" if summary.findings == 0 else " ".join(summary.severities),
    )
    return " ".join(parts).lower()


def _row(summary: Summary) -> str:
    name = escape(summary.workload_name or "an audit")
    shown = summary.created[:16].replace("T", " ")
    when = f"{name}, {shown}"
    can_compare = "" if summary.status == "done" else " disabled"
    return (
        f'<tr data-audit="{summary.audit_id}" data-text="{escape(_searched(summary))}">'
        f'<td><input type="checkbox" data-pick aria-label="Compare {when}"{can_compare}></td>'
        f'<th scope="row"><a href="./?audit={summary.audit_id}" class="gg-mono">{name}</a></th>'
        f"<td>{escape(FORMATS.get(summary.format, summary.format))}</td>"
        f"<td>{escape(card_text(summary))}</td><td>{_speed(summary)}</td>"
        f"<td>{_badge(summary)}</td><td>{_findings(summary)}</td>"
        f'<td class="gg-number"><time datetime="{escape(summary.created)}">{shown} UTC</time></td>'
        f'<td class="gg-number gg-delete"><button type="button" class="gg-button gg-small" '
        f'data-delete aria-label="Delete {when}">Delete</button>'
        f'<span class="gg-confirm" hidden><span>Delete this audit and its files?</span>'
        f'<button type="button" class="gg-button gg-small gg-danger" data-sure>Delete</button>'
        f'<button type="button" class="gg-button gg-small" data-keep>Keep</button></span></td></tr>'
    )


def history_head(known: int) -> str:
    """Title, filter and the way to compare."""
    said = (
        f"{count(known, 'audit')} from this browser" if known else "no audit from this browser yet"
    )
    tools = (
        '<span class="gg-right gg-actions gg-tools"><label class="gg-sr" for="gg-filter">Filter by '
        'file, GPU or finding</label><input type="search" id="gg-filter" '
        'placeholder="Filter by file, GPU, finding" autocomplete="off">'
        '<a class="gg-button gg-primary" id="gg-compare" role="link" aria-disabled="true">'
        "Compare</a></span>"
        if known
        else ""
    )
    return (
        f'<header class="gg-head gg-kb-head"><h1>History</h1><span class="gg-range">{said}</span>'
        f"{tools}</header>"
    )


def history_part(found: Sequence[Summary], missing: int, keep_days: float, forget: str = "") -> str:
    """The whole page below the bar.

    Args:
        found: the audits of this browser, newest first.
        missing: how many it knows of that are kept no longer.
        keep_days: how long audits are kept.
        forget: the id that was just deleted; the browser forgets its token.
    """
    rows = "".join(_row(summary) for summary in found)
    head = "".join(
        f'<th scope="col"{look}>{name}</th>'
        for name, look in (
            ('<span class="gg-sr">Compare</span>', ""), ("File", ""), ("Format", ""), ("GPU", ""),
            ("Speed-up", ""), ("Figures are", ""), ("Findings", ""),
            ("When", ' class="gg-number"'), ('<span class="gg-sr">Delete</span>', ""),
        )
    )  # fmt: skip
    table = (
        '<div class="gg-card gg-scroll" tabindex="0" role="region" aria-label="Your audits">'
        f'<table class="gg-audits"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        '<p class="gg-empty" data-none hidden>No audit fits this filter.</p></div>'
        if rows
        else '<div class="gg-card gg-pad"><p>Audits that you run in this browser are listed here. '
        '<a href="./">Audit a file</a></p></div>'
    )
    lost = (
        f" {count(missing, 'more audit')} of this browser {'is' if missing == 1 else 'are'} gone: "
        "deleted, or past that age."
        if missing
        else ""
    )
    note = (
        f"Kept for {keep_days:g} days. Only this browser lists them; anyone with a link can read "
        f"that one audit.{lost} Up to {MOST_COMPARED} can be compared; a speed-up is computed only "
        "between like and like."
    )
    gone = f' data-forget="{escape(forget)}"' if forget else ""
    return (
        f'<div class="gg-history" data-known="{len(found)}"{gone}>{history_head(len(found))}{table}'
        f'<p class="gg-sub">{note}</p></div>'
    )
