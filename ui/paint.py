"""Turns what is known of an audit into the values of the page's parts, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent.finished.rebuild import EditChoice
from agent.finished.roofline import roofline
from audit.export.arms import METRICS, charted
from audit.records.report import Report
from ui import before_after as words
from ui.ask_part import ask_form
from ui.before_after import caption
from ui.believe import believe_part
from ui.charts import metric_charts
from ui.checked import checked_part
from ui.diff import patch_part
from ui.findings import findings_heading, findings_part
from ui.headline import well_tuned
from ui.leads import leads_part
from ui.parity_chart import parity_part
from ui.part_charts import memory_chart, time_chart
from ui.reproduce import reproduce_part
from ui.roofline_chart import roofline_caption, roofline_chart, roofline_table
from ui.run_it import run_it_part
from ui.running import finished_part, run_body, run_head, status_text
from ui.switches import Switches, switches_of
from ui.verdict import verdict_card
from ui.view import AuditView
from ui.what_if_desk import first_rows
from ui.what_if_form import what_if_part

Values = dict[str, Any]

NONE: Final = '<i class="gg-none"></i>'
"""The value of a part that has nothing to say: the page closes the gap."""
PLOTS: Final = (
    *(f"chart_{metric.name}" for metric in METRICS),
    "chart_time",
    "chart_memory",
    "chart_roofline",
)
TEXTS: Final = (
    "view", "status", "trouble", "run_head", "run_body", "verdict", "findings_heading", "findings",
    "patch", "run_it", "arms_heading", *(f"caption_{metric.name}" for metric in METRICS),
    "arms_table", "caption_time", "table_time", "caption_memory", "table_memory",
    "caption_roofline", "table_roofline", "parity", "what_if",
    "what_if_rows", "believe",
    "leads", "checked_first", "checked", "ask",
    "answer", "reproduce", "stages",
)  # fmt: skip


def view_mark(kind: str) -> str:
    """Tells the style sheet which parts of the page to show."""
    return f'<i data-view="{kind}"></i>'


def report_values(
    report: Report,
    *,
    note: str = "",
    level: int = 1,
    switches: Switches | None = None,
    told: str = "",
) -> Values:
    """All parts of a report; a part that does not apply is empty.

    Args:
        report: the audit, perhaps rebuilt for another choice of edits.
        note: stands where else the time of the audit is told.
        level: of the verdict's heading.
        switches: the boxes of the edits; None: nobody here can switch them.
        told: what else the heading over the findings says.
    """
    texts: Values = {
        "verdict": verdict_card(report, note, level=level),
        "findings_heading": findings_heading(report, switches, told),
        "findings": findings_part(report, switches),
        "patch": patch_part(report.patch),
        "run_it": run_it_part(report),
        "what_if": what_if_part(report),
        "what_if_rows": first_rows(report),
        "parity": parity_part(report),
        "believe": believe_part(report),
        "leads": leads_part(report),
        "reproduce": reproduce_part(report, switches.choice if switches else None),
        "checked_first": checked_part(report) if well_tuned(report) else "",
        "ask": ask_form(),
        "answer": "",
        "checked": "" if well_tuned(report) else checked_part(report),
    }
    texts |= _chart_words(report)
    points = roofline(report)
    texts |= {
        "caption_roofline": roofline_caption(points),
        "table_roofline": roofline_table(points),
    }
    charts = _charts(report) | {"chart_roofline": roofline_chart(points)}
    return {**{name: text or NONE for name, text in texts.items()}, **charts}


def _chart_words(report: Report) -> Values:
    shown = {metric.name for metric in charted(report)}
    return {
        "arms_heading": words.heading(report) if shown else "",
        **{
            f"caption_{metric.name}": caption(report, metric) if metric.name in shown else ""
            for metric in METRICS
        },
        "arms_table": words.table(report),
        "caption_time": words.time_caption(report),
        "table_time": words.time_table(report),
        "caption_memory": words.memory_caption(report),
        "table_memory": words.memory_table(report),
    }


def _charts(report: Report) -> Values:
    figures = {f"chart_{name}": figure for name, figure in metric_charts(report).items()}
    return {
        **dict.fromkeys(PLOTS),
        **figures,
        "chart_time": time_chart(report),
        "chart_memory": memory_chart(report),
    }


def view_values(view: AuditView, *, owner: bool = False, told: str = "") -> Values:
    """The page after some events of an audit; its owner can switch the edits of the report."""
    if view.report is not None:
        switches = switches_of(view.report, EditChoice()) if owner else None
        return {
            **report_values(view.report, switches=switches, told=told),
            "view": view_mark("report"),
            "status": status_part(status_text(view)),
            "stages": finished_part(view),
            **dict.fromkeys(("trouble", "run_head", "run_body"), NONE),
        }
    return {
        "view": view_mark("run"),
        "status": status_part(status_text(view)),
        "run_head": run_head(view),
        "run_body": run_body(view),
        "trouble": NONE,
    }


def status_part(text: str) -> str:
    """What a screen reader is told; `text` is HTML."""
    return f'<p role="status" class="gg-sr">{text}</p>'


def changed(old: Mapping[str, Any], new: Values) -> Values:
    """The parts that differ from what the page shows; the others are not sent again."""
    return {name: value for name, value in new.items() if name not in old or old[name] != value}
