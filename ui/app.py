"""Builds the page and binds its events; app.py launches what comes out of here."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from agent.finished.rebuild import EditChoice
from agent.jobs import Jobs
from agent.report import VERSION
from agent.settings import Settings
from ui.api import add_api, answer_in_json
from ui.ask_part import AskDesk
from ui.body_limit import BodyLimit
from ui.compare_page import add_compare
from ui.desk import Desk
from ui.download import SAVE
from ui.history_page import add_history
from ui.knowledge_page import add_knowledge
from ui.layout import Page, lay_out
from ui.owned import CHOSEN, KEEP, OWNED
from ui.page_memory import PageMemory
from ui.paint import PLOTS, Values, report_values, status_part, view_mark
from ui.samples import first_audit, sample_names
from ui.sessions import keep_little
from ui.switches import switches_of
from ui.theme import PICTURE, SCRIPT, STYLES, page_theme
from ui.what_if_desk import WhatIfDesk

SHOW_LINK = """(link) => {
  const url = new URL(link || location.pathname, location.href);
  const theme = new URLSearchParams(location.search).get("__theme");
  if (theme) url.searchParams.set("__theme", theme);
  const cards = new URLSearchParams(location.search).get("cards");
  if (link && cards) url.searchParams.set("cards", cards);
  if (link) window.goblin.addChoice(url);
  if (url.href !== location.href) history.replaceState(null, "", url);
  for (const name of ["__theme", "off", "on"]) url.searchParams.delete(name);
  return link ? url.href : "";
}"""
"""The address bar and the link field say the same; absolute, whatever the host."""
SHOW = """() => [{ visible: true, __type__: "update" }]"""
SWITCH_SECONDS = 0.0005
"""Python lets a computing thread run for 5 ms before another gets its turn. An audit writes to the
log 40 times, each write giving up its turn five times: with 5 ms, 20 at once took half longer."""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {"queue": False, **QUIET}


def _bind(desk: Desk, page: Page, demo: gr.Blocks, settings: Settings) -> None:
    """Which event calls what. Followers have no limit of their own: the jobs have."""
    everything = [
        *page.parts.values(), page.cancel, page.again, page.link, page.download["patch"],
        page.second.box, page.second.keep, page.second.leave_out, page.approval.box,
        page.approval.told, *page.approval.given,
        page.download["patched"],
        page.audit_id, page.held, page.owned,
    ]  # fmt: skip
    live: dict[str, Any] = {"outputs": everything, "concurrency_limit": None, **QUIET}
    form = [*page.form.inputs.values(), page.held, page.owned]
    live["js"] = OWNED
    page.form.run.click(desk.run_form, form, trigger_mode="once", **live)
    for name, button in page.samples.items():
        inputs = [page.form.inputs["hardware"], page.owned]
        button.click(partial(desk.run_sample, name), inputs, trigger_mode="once", **live)
    demo.load(desk.open_link, [page.owned], **live)
    page.form.upload_tab.select(lambda: False, None, page.form.inputs["pasting"], **AT_ONCE)
    page.form.paste_tab.select(lambda: True, None, page.form.inputs["pasting"], **AT_ONCE)
    for name in PLOTS:
        caption = page.parts[name.replace("chart_", "caption_", 1)]
        caption.submit(None, None, page.parts[name], js=SHOW, **AT_ONCE)
    page.link.change(None, page.link, page.link, js=SHOW_LINK, **QUIET)
    owner = [page.audit_id, page.owned]
    page.cancel.click(desk.cancel, owner, page.cancel, js=OWNED, **AT_ONCE)
    page.owned.change(None, page.owned, None, js=KEEP, **QUIET)
    switched = {**AT_ONCE, "js": OWNED, "trigger_mode": "multiple"}  # `inTurn` of page.js waits
    outputs = [*page.parts.values(), page.download["patch"], page.download["patched"]]
    page.parts["findings"].submit(desk.switch_edits, owner, outputs, **switched)
    what_if = WhatIfDesk(desk.shown_report)
    about = [page.audit_id, page.choice, page.owned]
    page.parts["what_if"].submit(
        what_if.ask, about, page.parts["what_if_rows"], **{**switched, "js": CHOSEN}
    )
    questions = AskDesk(settings, desk.shown_report, desk.owns)
    page.parts["ask"].submit(
        questions.ask, about, page.parts["answer"], js=CHOSEN, concurrency_limit=4, **QUIET
    )
    page.again.click(desk.run_again, owner, trigger_mode="once", **live)
    wishes = [page.audit_id, page.second.keep, page.second.leave_out, page.owned]
    decided = [*owner, *page.approval.given]
    for button, approved in ((page.approval.approve, True), (page.approval.decline, False)):
        button.click(
            partial(desk.decide, approved), decided, page.approval.box, js=OWNED, **AT_ONCE
        )
    page.second.run.click(desk.run_second_round, wishes, trigger_mode="once", **live)
    for kind, button in page.download.items():
        shown = [page.audit_id, page.choice, page.owned]
        saved = button.click(partial(desk.save, kind), shown, page.file, js=CHOSEN, **AT_ONCE)
        saved.then(None, page.file, None, js=SAVE, **QUIET)


def build_app(settings: Settings, jobs: Jobs) -> gr.Blocks:
    """The page as Gradio Blocks; a sample is audited while it is built."""
    shown = first_audit(settings)
    first: Values = {"view": view_mark("first"), "status": status_part("")}
    if shown is not None:
        switches = switches_of(shown.report, EditChoice())
        first |= report_values(shown.report, note=shown.note, level=2, switches=switches)
    with gr.Blocks(
        title="GPU Goblin: audit a fine-tuning file",
        analytics_enabled=False,
        delete_cache=(600, 3600),
    ) as demo:
        page = lay_out(settings, sample_names(), first, VERSION)
        add_api(jobs, settings)  # first: an event of the page that is called the same gives way
        _bind(Desk(page, jobs, settings, shown), page, demo, settings)
    add_history(demo, jobs, settings, VERSION)
    add_compare(demo, jobs, settings, VERSION)
    add_knowledge(demo, settings, VERSION)
    return demo.queue(max_size=64)


def launch(demo: gr.Blocks, settings: Settings) -> str:
    """Serve in the background; returns the address."""
    sys.setswitchinterval(SWITCH_SECONDS)
    if threading.current_thread() is threading.main_thread():
        # The end of a container, or of a service, closes as Ctrl+C does: running audits are told.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    _, url, _ = demo.launch(prevent_thread_lock=True, **launch_options(settings))
    answer_in_json(demo)
    keep_little(demo)
    return str(url)


def launch_options(settings: Settings) -> dict[str, Any]:
    """Arguments for `launch`: never shared, no run history, nothing from another host."""
    return {
        "server_name": "0.0.0.0" if settings.on_space else "127.0.0.1",
        "theme": page_theme(),
        "css_paths": list(STYLES),
        "head": f"<script>{SCRIPT.read_text()}</script>",
        "favicon_path": PICTURE,
        "share": False,
        "ssr_mode": False,
        "run_history": False,
        "max_file_size": "20mb",
        "max_threads": 100,
        "app_kwargs": {"middleware": [Middleware(BodyLimit), Middleware(PageMemory)]},
        "mcp_server": True,
        "footer_links": [],
        "quiet": True,
    }
