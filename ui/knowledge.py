"""The knowledge base page as HTML: search and filters, what was found, one entry in full."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from audit.records.finding import SEVERITIES
from kb.rule import Rule
from kb.rulebook import load_sources
from ui.fact_card import fact_card
from ui.figures import count
from ui.marks import severity_mark
from ui.phrases import FRAMEWORKS, TOPICS, VENDORS
from ui.rule_card import rule_card
from ui.shelf import KINDS, MAX_QUESTION, Entry, Wanted, find_entries, load_entries, opened

SHOWN = 25
"""Results before `Show all`."""
SEVERITY_WORDS = {name: "Note" if name == "info" else name.capitalize() for name in SEVERITIES}


def page_head() -> str:
    """The headline with what there is."""
    entries = load_entries()
    rules = sum(isinstance(entry.source, Rule) for entry in entries)
    return (
        '<header class="gg-head gg-kb-head"><h1>Knowledge base</h1><p class="gg-range">'
        f"{count(rules, 'rule')}, {count(len(entries) - rules, 'fact')}, "
        f"{count(len(load_sources()), 'source')}</p></header>"
    )


def _choice(name: str, label: str, chosen: str, options: Mapping[Any, str]) -> str:
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(text)}</option>"
        for value, text in {"": "All", **options}.items()
    )
    return (
        f'<label class="gg-choice"><span>{label}</span>'
        f'<select name="{name}">{listed}</select></label>'
    )


def search_form(wanted: Wanted) -> str:
    """Question and filters; an ordinary form, so that it works by itself."""
    known = {name for entry in load_entries() for name in entry.frameworks}
    frameworks = {name: text for name, text in FRAMEWORKS.items() if name in known}
    makers = {name: text for name, text in VENDORS.items() if name != "cpu"}
    return (
        '<form class="gg-ask" role="search" action="./kb" method="get" data-knowledge>'
        '<div class="gg-question"><label class="gg-sr" for="gg-question">Ask in words</label>'
        f'<input id="gg-question" type="search" name="q" maxlength="{MAX_QUESTION}" '
        f'value="{escape(wanted.question)}" autocomplete="off" '
        'placeholder="does gradient checkpointing cost speed">'
        '<button type="submit" class="gg-button gg-primary"><span>Search</span></button></div>'
        '<div class="gg-choices">'
        f"{_choice('topic', 'Topic', wanted.topic, TOPICS)}"
        f"{_choice('framework', 'Framework', wanted.framework, frameworks)}"
        f"{_choice('vendor', 'Card', wanted.vendor, makers)}"
        f"{_choice('severity', 'Severity', wanted.severity, SEVERITY_WORDS)}"
        f"{_choice('kind', 'Kind', wanted.kind, KINDS)}</div>"
        f"{_often_asked()}</form>"
    )


def _often_asked() -> str:
    outdated = sum(entry.kind == "outdated" for entry in load_entries())
    links = {
        f"Outdated advice, {outdated}": Wanted(kind="outdated"),
        "Stops the run or spoils it": Wanted(severity="critical"),
        "Packing": Wanted(question="packing"),
        "Environment variables": Wanted(topic="env"),
        "Renamed arguments": Wanted(question="renamed arguments"),
    }
    items = "".join(
        f'<li><a class="gg-button gg-small" data-knowledge="form" href="{escape(wanted.link())}">'
        f"{text}</a></li>"
        for text, wanted in links.items()
    )
    return f'<p class="gg-sub" id="gg-often">Often asked:</p><ul class="gg-actions">{items}</ul>'


def address(entry: Entry, wanted: Wanted) -> str:
    """The address that opens an entry beside the same results."""
    if isinstance(entry.source, Rule):
        return wanted.link(rule=entry.id, fact="")
    return wanted.link(rule="", fact=entry.id)


def result(entry: Entry, wanted: Wanted, *, current: bool) -> str:
    """One entry of the list."""
    mark = (
        severity_mark(entry.severities[0])
        if entry.severities
        else f'<span class="gg-sort gg-sort-{entry.kind}">{KINDS[entry.kind]}</span>'
    )
    advice = ", advice only" if entry.kind == "advice" else ""
    here = ' aria-current="true"' if current else ""
    return (
        f'<li class="gg-hit{" gg-here" if current else ""}"><div class="gg-row">{mark}'
        f'<span class="gg-right gg-muted gg-small-text">{TOPICS[entry.topic]}{advice}</span></div>'
        f'<h3><a data-knowledge="entry" href="{escape(address(entry, wanted))}"{here}>'
        f"{escape(entry.title)}</a></h3><code>{escape(entry.id)}</code></li>"
    )


def found_line(wanted: Wanted, found: tuple[Entry, ...]) -> str:
    """How many were found, in words; also what a screen reader is told."""
    said = count(len(found), "entry", "entries")
    if wanted.question:
        return f"{said} for “{escape(wanted.question)}”, best first"
    return f"{said} by topic" if wanted.filtered else f"All {said} by topic"


def results_list(wanted: Wanted, found: tuple[Entry, ...], shown: Entry | None) -> str:
    """The column of results."""
    listed = found if wanted.all else found[:SHOWN]
    same = (shown.id, shown.kind) if shown else None
    items = "".join(
        result(entry, wanted, current=(entry.id, entry.kind) == same) for entry in listed
    )
    more = ""
    if len(found) > len(listed):
        more = (
            '<p class="gg-empty"><a data-knowledge="list" '
            f'href="{escape(wanted.link(all="1"))}">Show all {len(found)}</a></p>'
        )
    if not found:
        items = (
            '<li class="gg-empty">Nothing here answers that. Use other words or fewer filters, or '
            '<a data-knowledge="form" href="./kb">see everything</a>.</li>'
        )
    return (
        '<section class="gg-card gg-hits" aria-labelledby="gg-found-line">'
        f'<header class="gg-bar"><h2 id="gg-found-line">{found_line(wanted, found)}</h2></header>'
        f"<ul>{items}</ul>{more}</section>"
    )


def unknown_card(wanted: Wanted) -> str:
    """An address of a rule or fact that there is not."""
    sort, name = ("rule", wanted.rule) if wanted.rule else ("fact", wanted.fact)
    return (
        '<article class="gg-card gg-pad gg-entry" data-unknown>'
        f'<h2 id="gg-entry-title" tabindex="-1">No {sort} is called that</h2>'
        f"<p>There is no {sort} <code>{escape(name)}</code> in this version of the knowledge base. "
        "It may have been renamed since the link was made.</p>"
        f'<p><a data-knowledge="form" href="{escape(Wanted(question=_words(name)).link())}">'
        "Search for its words</a></p></article>"
    )


def _words(name: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in name).split())


def entry_card(entry: Entry) -> str:
    """The entry in full."""
    source = entry.source
    return rule_card(source) if isinstance(source, Rule) else fact_card(source)


def knowledge_part(wanted: Wanted) -> str:
    """Results and the opened entry, side by side.

    Raises:
        RuleError: an entry of the knowledge base is at fault.
    """
    found = find_entries(wanted)
    shown = opened(wanted, found)
    asked = bool(wanted.rule or wanted.fact)
    card = entry_card(shown) if shown else unknown_card(wanted) if asked else ""
    back = (
        '<p class="gg-back"><a data-knowledge="list" '
        f'href="{escape(wanted.link(rule="", fact=""))}">Back to the list</a></p>'
    )
    title = shown.title if shown and asked else "Knowledge base"
    return (
        f'<div class="gg-kb{" gg-opened" if asked else ""}" data-title="{escape(title)}">'
        f"{results_list(wanted, found, shown)}"
        f'<div class="gg-full">{back}{card}</div></div>'
    )


def status_text(wanted: Wanted) -> str:
    """What a screen reader is told once the page has changed."""
    return f'<p role="status" class="gg-sr">{found_line(wanted, find_entries(wanted))}</p>'
