"""The box for questions under a report, and its answer with what each sentence rests on."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from agent.finished.ask import MAX_QUESTION
from agent.settings import Settings
from audit.records.answer import Answer, Citation, Said
from audit.records.errors import UserError
from audit.records.report import Report
from ui.asking import answer_to
from ui.entry_parts import entry_link
from ui.figures import count, words
from ui.marks import turn_mark
from ui.what_if_rows import fault_part

Shown = Callable[[str, object, object], Report | None]
Owns = Callable[[str, object], bool]


def ask_form() -> str:
    """The heading and the box; `ui/ask.js` sends the question."""
    return (
        '<section class="gg-section gg-asking" aria-labelledby="gg-ask-title">'
        '<header class="gg-section-head"><h2 id="gg-ask-title">Ask about this audit</h2>'
        "<p>Answered from this audit and the knowledge base, with what each sentence rests on.</p>"
        '</header><form class="gg-asked" onsubmit="return false">'
        '<label class="gg-sr" for="gg-question">Your question</label>'
        f'<input id="gg-question" name="question" maxlength="{MAX_QUESTION}" autocomplete="off" '
        'placeholder="Why is the micro-batch raised?">'
        '<button type="submit" class="gg-button gg-primary">Ask</button></form></section>'
    )


def answer_part(answer: Answer) -> str:
    """The answer, escaped; sentences with their sources."""
    note = f'<p class="gg-sub">{words(answer.note)}</p>' if answer.note else ""
    said = "".join(map(_said, answer.said))
    by = (
        "by search, no model"
        if answer.by == "search"
        else f"worded by {answer.by}, held to this audit’s record"
    )
    left = ""
    if answer.dropped or answer.unsupported:
        left = (
            f" Left out: {count(answer.dropped, 'sentence')} with figures that the record does not "
            f"hold, {count(answer.unsupported, 'citation')} that do not exist."
        )
    return (
        f'<div class="gg-card gg-pad gg-answer" role="status"><h3>{escape(answer.question)}</h3>'
        f'{note}<ul>{said}</ul><p class="gg-sub">Answered {escape(by)}.{left}</p></div>'
    )


class AskDesk:
    """Answers the box of one page."""

    def __init__(self, settings: Settings, shown: Shown, owns: Owns) -> None:
        self._settings, self._shown, self._owns = settings, shown, owns

    def ask(self, audit_id: str, choice: object, owned: object, event: gr.EventData) -> Any:
        """The answer; a model is asked for the owner of an audit alone."""
        asked = event._data if isinstance(event._data, dict) else {}
        question = str(asked.get("question") or "")[: 2 * MAX_QUESTION]
        try:
            report = self._shown(audit_id, choice, owned)
            if report is None:
                return turn_mark(event._data)
            owner = self._owns(audit_id, owned)
            part = answer_part(answer_to(question, report, self._settings, owner=owner))
        except UserError as error:
            part = fault_part(error)
        return part + turn_mark(event._data)


def _said(said: Said) -> str:
    sources = "".join(map(_citation, said.citations))
    none = "" if sources else '<span class="gg-chip">no source cited</span>'
    figures = [one for one in said.citations if one.kind == "figure"]
    kind = figures[0].provenance if figures else None
    mark = f' data-provenance="{kind}"' if kind else ""
    return f"<li><p{mark}>{words(said.text)}</p><p class=gg-cited>{sources}{none}</p></li>"


def _citation(one: Citation) -> str:
    label = escape(one.label)
    if one.kind in ("rule", "fact"):
        link = entry_link(one.kind, one.rule_id or one.label)
        return f'<a class="gg-chip" href="{escape(link)}"><code>{label}</code></a>'
    if one.kind == "line":
        return f'<span class="gg-chip"><code>{label}</code></span>'
    if one.kind == "figure":
        kind = f", {one.provenance}" if one.provenance else ""
        return f'<span class="gg-chip">figure: {label}{kind}</span>'
    return f'<span class="gg-chip">{label}</span>'
