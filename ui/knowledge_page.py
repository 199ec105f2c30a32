"""The knowledge base as a page of the app: its components, its address, its one event."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from agent.settings import Settings
from ui import frame
from ui.knowledge import knowledge_part, page_head, search_form, status_text
from ui.paint import NONE
from ui.shelf import Wanted

SCRIPT = Path(__file__).with_name("knowledge.js")


def open_page(request: gr.Request) -> tuple[str, str]:
    """The form and the results as the address asks."""
    wanted = Wanted.read(dict(request.query_params))
    return search_form(wanted), knowledge_part(wanted)


def change_page(event: gr.EventData) -> tuple[Any, str, str]:
    """The results for a new address; the form too, unless the visitor is writing in it."""
    data = event._data or {}
    query = str(data.get("query") or "").removeprefix("?")[:4000]
    wanted = Wanted.read(dict(parse_qsl(query)))
    form = search_form(wanted) if data.get("form") else gr.skip()
    return form, knowledge_part(wanted), status_text(wanted)


def add_knowledge(demo: gr.Blocks, settings: Settings, version: str) -> None:
    """Add the page `/kb` to the app."""
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    with demo.route("Knowledge base", "/kb", show_in_navbar=False):
        note = frame.host_note(settings)
        frame.html(frame.top_bar(note, page="kb"), "gg-bar")
        frame.html(page_head(), "gg-kb-top")
        status = frame.html('<p role="status" class="gg-sr"></p>', "gg-part-status")
        form = frame.html(search_form(Wanted()), "gg-kb-ask")
        results = frame.html(NONE, "gg-kb-results", SCRIPT.read_text())
        frame.html(frame.footer(version, settings.keep_days), "gg-end")
        demo.load(open_page, None, [form, results], queue=False, **quiet)
        results.submit(
            change_page,
            None,
            [form, results, status],
            queue=False,
            trigger_mode="always_last",
            **quiet,
        )
