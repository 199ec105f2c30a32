"""What stands around an audit: top bar, headline of the first view, section titles, footer."""

from __future__ import annotations

from html import escape
from typing import Any, Literal

import gradio as gr

from agent.card import card_of
from agent.settings import Settings
from kb.catalog.hardware import find_hardware

Page = Literal["audit", "history", "kb"]
PAGES: dict[Page, tuple[str, str]] = {
    "audit": ("./", "Audit"),
    "history": ("./history", "History"),
    "kb": ("./kb", "Knowledge base"),
}
"""Page -> address and name."""


def html(value: str, name: str, script: str | None = None) -> Any:
    """A part of a page that is HTML of ours, with its own script where it needs one."""
    return gr.HTML(
        value, apply_default_css=False, js_on_load=script, elem_id=name, elem_classes=["gg"]
    )


def pages(page: Page) -> str:
    """The links between the pages of the app."""
    links = "".join(
        f'<a href="{address}"{" aria-current=page" if name == page else ""}>{text}</a>'
        for name, (address, text) in PAGES.items()
    )
    return f'<nav class="gg-nav" aria-label="Pages">{links}</nav>'


def top_bar(note: str, page: Page = "audit") -> str:
    """Brand, pages, and what this host can do."""
    return (
        '<header class="gg-top"><a class="gg-brand" href="./" aria-label="GPU Goblin, start page">'
        '<svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true">'
        '<path class="gg-skin" d="M.8 6.2 6 8.7a7.3 7.3 0 0 1 12 0l5.2-2.5-3.5 7.2a7.7 7.7 0 '
        '0 1-15.4 0z"/>'
        '<circle class="gg-eye" cx="9" cy="12.6" r="1.5"/>'
        '<circle class="gg-eye" cx="15" cy="12.6" r="1.5"/>'
        '<path class="gg-mouth" d="M9.3 16.8c1.8 1 3.6 1 5.4 0"/></svg><span>GPU Goblin</span></a>'
        f"{pages(page)}"
        '<a class="gg-button gg-small gg-new" href="./">New audit</a>'
        f'<span class="gg-right gg-host">{escape(note)}</span></header>'
    )


def host_note(settings: Settings) -> str:
    """One line on where figures come from here."""
    runner, on_space = settings.runner, settings.on_space
    if runner == "fake":
        card = card_of(None, settings)
        found = f"{find_hardware(card.name).name} here" if card.detected and card.name else ""
        return f"{found or 'No GPU on this host'}: figures are projected"
    if runner == "hf_jobs":
        return "Measures on rented machines of Hugging Face Jobs, which offers no AMD card today"
    where = "this Space" if on_space else "this machine"
    return f"Measures on {where}" if runner == "local" else f"Measures through {runner}"


def first_words() -> str:
    """The headline of the first view."""
    return (
        '<div class="gg-first" data-view="first">'
        "<h1>Find what slows or breaks your fine-tuning run</h1>"
        '<p class="gg-claim">Give it the file you train with. Get a patch to that same file, '
        "the speed and "
        "memory before and after, and where every number came from.</p>"
        '<p class="gg-safe"><span class="gg-passed" aria-hidden="true">✓</span> '
        "No account, no key, no GPU. Your file is read, never run.</p>"
        '<p class="gg-sub">No file at hand? One click audits a sample:</p></div>'
    )


def sample_words() -> str:
    """The heading above the audit that is there before anyone clicked."""
    return (
        '<header class="gg-section-head"><h2>What you get: a finished audit of a sample file</h2>'
        "<p>Computed when this page started, by the same code.</p></header>"
    )


def footer(version: str, keep_days: float) -> str:
    """What a visitor should know at the end of the page."""
    return (
        f'<footer class="gg-foot"><span>GPU Goblin {escape(version)}</span>'
        "<span>Nothing you upload is executed here.</span>"
        f"<span>An audit and its files are deleted after {keep_days:g} days.</span></footer>"
    )
