"""One fact in full: what it says, where it holds, what to write, its sources, rules that use it."""

from __future__ import annotations

from html import escape

from kb.factbook import Fact
from kb.rulebook import load_rules
from ui.entry_parts import (
    entry_link,
    head,
    meaning,
    part,
    row,
    rules_list,
    sources_list,
    spellings_table,
)
from ui.figures import words
from ui.marks import semantics_chip
from ui.phrases import VENDORS

SORTS = {
    "rule": ("fact", "Advice that holds."),
    "anti": ("outdated advice", "Common advice that is wrong or out of date; this is what holds."),
    "hazard": ("hazard", "Crashes, or trains the wrong thing."),
}
CONFIDENCE = {
    "high": "High: the source says so.",
    "medium": "Medium: the source says so in part, or for another release.",
    "low": "Low: one voice, or reasoned from how it works.",
}


def fact_card(fact: Fact) -> str:
    """The whole fact as one card."""
    sort, meant = SORTS[fact.kind]
    cards = ", ".join(fact.archs) or (VENDORS[fact.vendor] if fact.vendor else "any card")
    chips = (
        f'<span class="gg-chip gg-sort-{fact.kind}">{sort}</span>{semantics_chip(fact.semantics)}'
        f'<span class="gg-chip">{escape(cards)}</span>'
    )
    rows = row("Kind", meant) + row("Holds when", f"<code>{escape(fact.applies_when)}</code>")
    for name, text in (
        ("Effect, published", fact.effect),
        ("Memory", fact.memory),
        ("Read for", fact.versions),
        ("But note", fact.caveats),
    ):
        rows += row(name, words(text)) if text else ""
    rows += row("Semantics", meaning(fact.semantics)) + row(
        "Confidence", CONFIDENCE[fact.confidence]
    )
    table = spellings_table([fact])
    rules = [rule for rule in load_rules() if fact.id in rule.facts]
    used = rules_list(rules) if rules else '<p class="gg-sub">None; it answers questions only.</p>'
    return (
        f'<article class="gg-card gg-entry" data-fact="{escape(fact.id)}">'
        f"{head(fact.title, fact.id, chips, entry_link('fact', fact.id))}"
        f'<p class="gg-claimed">{words(fact.claim)}</p><dl class="gg-told">{rows}</dl>'
        f"{part('As each framework writes it', table) if table else ''}"
        f"{part('Sources', sources_list(fact.sources_read))}"
        f"{part('Rules that act on it', used)}</article>"
    )
