"""Answers questions in words from the rules and facts: BM25 over weighted fields, offline.

No embedding, no model, no network; the same question always gets the same answer. A result stands
for the facts it lists, so a fact that a better result lists already is not repeated.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache

from audit.records.finding import Source
from kb.factbook import Fact, load_facts
from kb.rule import Rule
from kb.rulebook import load_rules
from kb.words import related, words_of

SATURATION, LENGTH_SHARE = 1.2, 0.5
"""k1 and b of BM25 (Robertson and Zaragoza 2009); b is low because all entries are short."""
RELATED_WEIGHT = 0.4
"""Of a word that only means alike."""
FACTS_PER_HIT = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: a rule or a fact, with the facts it stands for, the most central first."""

    id: str
    facts: tuple[str, ...]
    score: float
    claim: str
    title: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    facts: tuple[str, ...]
    claim: str
    title: str
    sources: tuple[Source, ...]
    weights: dict[str, float]
    """Word -> its weighted count."""
    length: float


class _Index:
    """All entries, and for each word the entries that hold it."""

    def __init__(self, entries: list[_Entry]) -> None:
        self.entries = entries
        self.mean_length = sum(entry.length for entry in entries) / len(entries)
        self.holders: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            for word in entry.weights:
                self.holders.setdefault(word, []).append(number)

    def rarity(self, word: str) -> float:
        """The inverse document frequency of BM25, never negative."""
        holders = len(self.holders.get(word, ()))
        return math.log(1 + (len(self.entries) - holders + 0.5) / (holders + 0.5))

    def scores(self, words: list[str]) -> list[float]:
        """The score of every entry for the words of a question."""
        total = [0.0] * len(self.entries)
        for word, times in sorted(Counter(words).items()):
            best: dict[int, float] = {}
            for other, weight in [
                (word, 1.0),
                *((w, RELATED_WEIGHT) for w in sorted(related(word))),
            ]:
                rarity = self.rarity(other) * weight
                for number in self.holders.get(other, ()):
                    best[number] = max(best.get(number, 0.0), rarity * self.part(number, other))
            for number, score in best.items():
                total[number] += score * (1 + 0.2 * (times - 1))
        return total

    def part(self, number: int, word: str) -> float:
        """How much of an entry is about a word, 0 to 1."""
        entry = self.entries[number]
        count = entry.weights[word]
        share = 1 - LENGTH_SHARE + LENGTH_SHARE * entry.length / self.mean_length
        return count * (SATURATION + 1) / (count + SATURATION * share)


def search(question: str, k: int = 5) -> tuple[Hit, ...]:
    """The best `k` rules and facts for a question; fewer where fewer have anything to do with it.

    Raises:
        RuleError: an entry of the knowledge base is at fault (first call of a process only).
    """
    index = load_index()
    scores = index.scores(words_of(question))
    order = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
    hits: list[Hit] = []
    told: set[str] = set()
    for number in order:
        if len(hits) == k or scores[number] <= 0:
            break
        entry = index.entries[number]
        if set(entry.facts[:FACTS_PER_HIT]) <= told:
            continue
        told |= set(entry.facts[:FACTS_PER_HIT])
        hits.append(
            Hit(
                entry.id,
                entry.facts,
                round(scores[number], 3),
                entry.claim,
                entry.title,
                entry.sources,
            )
        )
    return tuple(hits)


@cache
def load_index() -> _Index:
    """The index over all rules and facts, made once per process."""
    return _Index([*map(_of_rule, load_rules()), *map(_of_fact, load_facts())])


def _of_rule(rule: Rule) -> _Entry:
    texts = [
        (3.0, rule.headline),
        (2.0, rule.id),
        (2.0, " ".join(rule.keywords)),
        (1.0, rule.title),
        (1.0, rule.claim),
        (0.5, rule.when),
        (0.3, " ".join(rule.caveats)),
    ]
    vendors = " ".join((*rule.vendors, *rule.archs)) if len(rule.vendors) == 1 else ""
    return _entry(
        rule.id, rule.facts, rule.claim, rule.headline, rule.sources_read, [*texts, (0.5, vendors)]
    )


def _of_fact(fact: Fact) -> _Entry:
    texts = [
        (3.0, fact.title),
        (2.0, fact.id),
        (1.5, fact.claim),
        (0.5, fact.applies_when),
        (0.5, " ".join(fact.action.values())),
        (0.3, fact.caveats or ""),
        (0.5, f"{fact.vendor or ''} {' '.join(fact.archs)}"),
    ]
    return _entry(fact.id, (fact.id,), fact.claim, fact.title, fact.sources_read, texts)


def _entry(
    entry_id: str,
    facts: tuple[str, ...],
    claim: str,
    title: str,
    sources: tuple[Source, ...],
    texts: list[tuple[float, str]],
) -> _Entry:
    weights: dict[str, float] = {}
    for weight, text in texts:
        for word in words_of(text):
            weights[word] = weights.get(word, 0.0) + weight
    return _Entry(entry_id, facts, claim, title, sources, weights, sum(weights.values()))
