"""Research without a model: the words of the task, asked of the knowledge base."""

from __future__ import annotations

from audit.records.lead import Lead, Research
from kb.factbook import find_fact
from kb.search import Hit, search

MAX_LEADS = 8


def plan_research(task: str) -> Research:
    """The entries of the knowledge base nearest to a task, as leads with their first source."""
    hits = search(task, MAX_LEADS)
    ended = (
        "The knowledge base was searched." if hits else "The knowledge base knows nothing of it."
    )
    return Research(task=task, leads=tuple(map(_lead, hits)), by="rules", ended=ended)


def _lead(hit: Hit) -> Lead:
    fact = find_fact(hit.facts[0]) if hit.facts else None
    return Lead(
        change=hit.title,
        evidence=hit.claim,
        expected=fact.effect if fact else None,
        measured=None,
        source=hit.sources[0].url if hit.sources else hit.id,
        confidence=fact.confidence if fact else "medium",
    )
