"""The event of the what-if form: reads the question, asks for the rows, draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from agent.finished.what_if import WhatIfAsked, what_if
from audit.records.errors import UnknownName, UserError
from audit.records.report import Report
from ui.marks import turn_mark
from ui.what_if_asked import read_asked
from ui.what_if_rows import fault_part, rows_part

Shown = Callable[[str, object, object], Report | None]
"""The report on the page, from audit id, choice of edits and owner tokens."""


def first_rows(report: Report) -> str:
    """The rows before anybody asked: the audited card and the usual ones; empty without figures."""
    if report.profile.step_s is None:
        return ""
    try:
        return rows_part(what_if(report, WhatIfAsked()), first=True)
    except UnknownName:  # a report of another version names a card that this one does not know
        return ""


class WhatIfDesk:
    """Answers the form of one page."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def ask(self, audit_id: str, choice: object, owned: object, event: gr.EventData) -> Any:
        """The table for what stands in the form; a slip is told in its place."""
        try:
            report = self._shown(audit_id, choice, owned)
            if report is None:
                return gr.skip()
            rows = rows_part(what_if(report, read_asked(event._data)))
        except UserError as error:
            rows = fault_part(error)
        return rows + turn_mark(event._data)
