"""The page `/history`: its components and its two events, list and delete."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from agent.jobs import Jobs
from agent.settings import Settings
from audit.records.errors import UnknownName, UserError
from ui import frame
from ui.history import history_part
from ui.owned import OWNED, owner_tokens
from ui.paint import NONE, status_part

SCRIPT = Path(__file__).with_name("history.js")
MOST = 200
"""Rows of one page; a browser keeps no more tokens."""


class HistoryDesk:
    """Lists and deletes the audits whose tokens a browser sends."""

    def __init__(self, jobs: Jobs, keep_days: float) -> None:
        self._jobs = jobs
        self._keep_days = keep_days

    def show(self, owned: object, forget: str = "") -> str:
        """The history of one browser."""
        tokens = owner_tokens(owned)
        kept = self._jobs.list(list(tokens), MOST)
        mine = [one for one in kept if self._jobs.owns(one.audit_id, tokens[one.audit_id])]
        missing = len(tokens) - len(kept)
        return history_part(mine, missing, self._keep_days, forget)

    def delete(self, owned: object, event: gr.EventData) -> tuple[str, str]:
        """Delete one audit of this browser, and list the others."""
        tokens = owner_tokens(owned)
        audit_id = str((event._data or {}).get("delete") or "")
        name = "The audit"
        try:
            if audit_id in tokens:
                name = next((one.workload_name for one in self._jobs.list([audit_id])), name)
                self._jobs.delete(audit_id, tokens[audit_id])
        except UnknownName:
            pass  # deleted in another tab: the wish is met
        except UserError as error:
            gr.Warning(str(error))
            return self.show(owned), status_part("")
        tokens.pop(audit_id, None)
        return self.show(tokens, audit_id), status_part(f"{escape(name)} was deleted.")


def add_history(demo: gr.Blocks, jobs: Jobs, settings: Settings, version: str) -> None:
    """Add the page `/history` to the app."""
    desk = HistoryDesk(jobs, settings.keep_days)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "js": OWNED}
    with demo.route("History", "/history", show_in_navbar=False):
        note = frame.host_note(settings)
        frame.html(frame.top_bar(note, page="history"), "gg-bar")
        status = frame.html(status_part(""), "gg-part-status")
        listed = frame.html(NONE, "gg-part-history", SCRIPT.read_text())
        frame.html(frame.footer(version, settings.keep_days), "gg-end")
        owned = gr.JSON(visible=False)
        demo.load(lambda given: desk.show(given), [owned], listed, queue=False, **quiet)
        listed.submit(desk.delete, [owned], [listed, status], queue=False, **quiet)
