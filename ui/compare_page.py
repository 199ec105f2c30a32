"""The page `/compare?a=ID&b=ID`: the links alone read, so a comparison can be shared."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import gradio as gr

from agent.finished.side_by_side import compare_reports
from agent.jobs import Jobs
from agent.settings import Settings
from audit.records.errors import UnknownName, UserError
from audit.records.report import Report
from ui import frame
from ui.compare import asked_ids, compare_part, nothing_part
from ui.paint import NONE


def compare_by_ids(jobs: Jobs, ids: list[str]) -> str:
    """The comparison of the audits with these ids, or why there is none."""
    if len(ids) < 2:
        return nothing_part("The address names fewer than two different audits.")
    reports: list[tuple[str, Report]] = []
    for audit_id in ids:
        try:
            report = jobs.report(audit_id)
        except UnknownName:
            return nothing_part(
                f"\u201c{audit_id[:64]}\u201d is no audit we know of: it was deleted, it is past "
                "its retention, or the link is incomplete."
            )
        if report is None:
            return nothing_part(
                f"The audit {audit_id[:8]} has no report: it still runs, or it ended without one."
            )
        reports.append((audit_id, report))
    try:
        compared = compare_reports(reports)
    except UserError as error:
        return nothing_part(str(error))
    return compare_part(compared, f"./compare?{urlencode(dict(zip('abcd', ids, strict=False)))}")


def add_compare(demo: gr.Blocks, jobs: Jobs, settings: Settings, version: str) -> None:
    """Add the page `/compare` to the app."""

    def open_page(request: gr.Request) -> str:
        return compare_by_ids(jobs, list(asked_ids(dict(request.query_params))))

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    with demo.route("Compare", "/compare", show_in_navbar=False):
        note = frame.host_note(settings)
        frame.html(frame.top_bar(note, page="history"), "gg-bar")
        shown = frame.html(NONE, "gg-part-compare")
        frame.html(frame.footer(version, settings.keep_days), "gg-end")
        demo.load(open_page, None, shown, queue=False, **quiet)
