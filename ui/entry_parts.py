"""The pieces that a rule and a fact share on their page: head, sources, spellings, lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from html import escape
from urllib.parse import urlencode

from audit.records.finding import Semantics, Source
from kb.factbook import Fact, find_fact
from kb.rule import Rule
from ui.figures import words
from ui.marks import copy_button, source_link

STALE_MONTHS = 24
_DATE = re.compile(r"(20\d\d)(?:-([01]\d))?")
_NEVER_STALE = ("data sheet", "whitepaper")
"""A card's data sheet is as true as on its day."""
MEANINGS: dict[Semantics, str] = {
    "neutral": "Neutral: the training result is the same up to summation order.",
    "numerics": "Numerics: another kernel or number format computes the same thing.",
    "dynamics": "Dynamics: what the model learns per step is different. Offered, never applied by "
    "itself.",
}
SPELLED = {
    "Transformers, TRL": ("hf", "trl"),
    "axolotl": ("axolotl",),
    "LLaMA-Factory": ("llamafactory",),
    "torchtune": ("torchtune",),
    "accelerate": ("accelerate",),
    "DeepSpeed": ("deepspeed",),
    "environment": (),
    "code": (),
}
"""Framework as the facts write it -> ids; empty: any."""


def entry_link(kind: str, entry_id: str) -> str:
    """The address of a rule or fact."""
    return f"./kb?{urlencode({kind: entry_id})}"


def rule_link(rule_id: str) -> str:
    """A rule's id as the link to its page."""
    return (
        f'<a class="gg-rule" href="{escape(entry_link("rule", rule_id))}">'
        f"<code>{escape(rule_id)}</code></a>"
    )


def head(title: str, entry_id: str, chips: str, link: str) -> str:
    """Chips, title, id, and a button that copies the address."""
    address = f'<span id="gg-entry-link" class="gg-sr" data-address="{escape(link)}"></span>'
    button = copy_button("gg-entry-link", "Link", described="Copy the link to this entry")
    return (
        f'<header><div class="gg-row">{chips}<span class="gg-right">{button}</span></div>'
        f'<h2 id="gg-entry-title" tabindex="-1">{escape(title)}</h2>'
        f"<code>{escape(entry_id)}</code>{address}</header>"
    )


def row(name: str, body: str) -> str:
    """One line of the list of what is told."""
    return f"<dt>{name}</dt><dd>{body}</dd>"


def part(title: str, body: str) -> str:
    """A part of the card with its own heading."""
    return f'<section class="gg-part"><h3>{title}</h3>{body}</section>'


def meaning(semantics: Semantics) -> str:
    """What an edit does to the training, in a sentence."""
    return MEANINGS[semantics]


def is_stale(source: Source, today: date) -> bool:
    """Whether a source was read for a state of two years ago or more; 2024 counts as its end."""
    if "stale" in source.as_of or "era" in source.as_of.split():
        return True
    if any(word in source.as_of for word in _NEVER_STALE):
        return False
    dates = [(int(year), int(month or 12)) for year, month in _DATE.findall(source.as_of)]
    if not dates:
        return False
    year, month = max(dates)
    return (today.year - year) * 12 + today.month - month > STALE_MONTHS


def sources_list(sources: Iterable[Source], today: date | None = None) -> str:
    """All sources as links with the date or release they were read for; old ones say so."""
    day = today or datetime.now(UTC).date()
    items = "".join(
        f"<li>{source_link(source)}"
        + ("" if not is_stale(source, day) else ' <span class="gg-chip gg-stale">stale</span>')
        + "</li>"
        for source in sources
    )
    return f'<ol class="gg-sources">{items}</ol>'


def facts_list(names: Iterable[str]) -> str:
    """Facts as links with their claims."""
    items = ""
    for name in names:
        fact = find_fact(name)
        if fact is not None:
            items += (
                f'<li><a href="{escape(entry_link("fact", name))}">{escape(fact.title)}</a>'
                f"<p>{words(fact.claim)}</p></li>"
            )
    return f'<ul class="gg-links">{items}</ul>'


def rules_list(rules: Iterable[Rule]) -> str:
    """Rules as links with their ids."""
    items = "".join(
        f'<li><a href="{escape(entry_link("rule", rule.id))}">{escape(rule.headline)}</a> '
        f"<code>{escape(rule.id)}</code></li>"
        for rule in rules
    )
    return f'<ul class="gg-links">{items}</ul>'


def spellings_table(facts: Iterable[Fact], frameworks: tuple[str, ...] = ()) -> str:
    """What to write in each framework, from the first fact that says it; empty where none does."""
    told: dict[str, str] = {}
    for fact in facts:
        for name, text in fact.action.items():
            asked = SPELLED.get(name, ())
            if not frameworks or not asked or set(asked) & set(frameworks):
                told.setdefault(name, text)
    order = [*SPELLED, *sorted(set(told) - set(SPELLED))]
    rows = "".join(
        f'<tr><th scope="row">{escape(name if SPELLED.get(name) else name.capitalize())}'
        f"</th><td><code>{escape(told[name])}</code></td></tr>"
        for name in order
        if name in told
    )
    if not rows:
        return ""
    return (
        '<div class="gg-scroll" tabindex="0" role="region" aria-label="Spelling by framework">'
        f'<table class="gg-spelled"><tbody>{rows}</tbody></table></div>'
    )
