"""What stands in the knowledge base, and which of it a visitor's question and filters ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal, Self
from urllib.parse import urlencode

from audit.records.finding import SEVERITIES, Severity
from kb.factbook import Fact, find_fact, load_facts
from kb.rule import Rule
from kb.rulebook import find_rule, load_rules
from kb.search import FACTS_PER_HIT, load_index
from kb.words import words_of
from ui.phrases import FRAMEWORKS, TOPICS, VENDORS, topic_of

Kind = Literal["rule", "advice", "fact", "hazard", "outdated"]
KINDS: Final[dict[Kind, str]] = {
    "rule": "Rule with an edit",
    "advice": "Rule, advice only",
    "fact": "Fact",
    "hazard": "Hazard",
    "outdated": "Outdated advice",
}
MAX_QUESTION = 200
"""Characters of a question; the rest is not read."""
_ACTS_ON = {
    "Transformers, TRL": ("hf", "trl"),
    "axolotl": ("axolotl",),
    "LLaMA-Factory": ("llamafactory",),
    "torchtune": ("torchtune",),
    "accelerate": ("accelerate",),
    "DeepSpeed": ("deepspeed",),
}
"""Framework as the facts write it -> ids; `code` and `environment` stand for any."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule or a fact with what it can be filtered by."""

    kind: Kind
    source: Rule | Fact
    title: str
    frameworks: frozenset[str]
    """Empty: any."""
    vendors: frozenset[str]
    """Empty: any."""
    severities: tuple[Severity, ...] = ()
    """The usual one first; a fact has none."""

    @property
    def id(self) -> str:
        """As the rule or fact is called."""
        return self.source.id

    @property
    def topic(self) -> str:
        """One of `TOPICS`."""
        return topic_of(self.source.id)

    @property
    def stands_for(self) -> tuple[str, ...]:
        """The facts that need not be listed beside it."""
        facts = self.source.facts if isinstance(self.source, Rule) else (self.id,)
        return facts[:FACTS_PER_HIT]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address of the page asks for; an unknown filter counts as none."""

    question: str = ""
    topic: str = ""
    framework: str = ""
    vendor: str = ""
    severity: str = ""
    kind: str = ""
    rule: str = ""
    """The rule to show in full."""
    fact: str = ""
    all: str = ""
    """`1`: list everything that was found."""

    @classmethod
    def read(cls, query: Mapping[str, object]) -> Self:
        """From the address; what is too long or unknown is left out."""

        def one(name: str, known: Collection[str] | None = None) -> str:
            value = query.get(name)
            text = value.strip()[:MAX_QUESTION] if isinstance(value, str) else ""
            return text if known is None or text in known else ""

        return cls(
            question=" ".join(one("q").split()),
            topic=one("topic", TOPICS),
            framework=one("framework", FRAMEWORKS),
            vendor=one("vendor", VENDORS),
            severity=one("severity", SEVERITIES),
            kind=one("kind", KINDS),
            rule=one("rule"),
            fact=one("fact"),
            all=one("all", ("1",)),
        )

    def link(self, **changes: str) -> str:
        """The address of this page with some of it changed."""
        there = replace(self, **changes)
        pairs = {
            "q": there.question,
            "topic": there.topic,
            "framework": there.framework,
            "vendor": there.vendor,
            "severity": there.severity,
            "kind": there.kind,
            "all": there.all,
            "rule": there.rule,
            "fact": there.fact,
        }
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"./kb?{query}" if query else "./kb"

    @property
    def filtered(self) -> bool:
        """Whether any filter is set."""
        return any((self.topic, self.framework, self.vendor, self.severity, self.kind))


def _of_rule(rule: Rule) -> Entry:
    makers = {"gfx": "amd", "sm_": "nvidia"}
    vendors = {*rule.vendors, *(makers[arch[:3]] for arch in rule.archs if arch[:3] in makers)}
    cases = [case.severity for case in rule.severity_cases]
    return Entry(
        kind="rule" if rule.edits else "advice",
        source=rule,
        title=rule.headline,
        frameworks=frozenset(rule.frameworks),
        vendors=frozenset(vendors),
        severities=tuple(dict.fromkeys((rule.severity, *cases))),
    )


def _of_fact(fact: Fact) -> Entry:
    kinds: dict[str, Kind] = {"rule": "fact", "anti": "outdated", "hazard": "hazard"}
    named = [name for key in fact.action for name in _ACTS_ON.get(key, ())]
    anywhere = any(key not in _ACTS_ON for key in fact.action)
    return Entry(
        kind=kinds[fact.kind],
        source=fact,
        title=fact.title,
        frameworks=frozenset() if anywhere else frozenset(named),
        vendors=frozenset([fact.vendor]) if fact.vendor else frozenset(),
    )


@cache
def load_entries() -> tuple[Entry, ...]:
    """All rules, then all facts: the order of the search index.

    Raises:
        RuleError: an entry of the knowledge base is at fault.
    """
    return (*map(_of_rule, load_rules()), *map(_of_fact, load_facts()))


def passes(entry: Entry, wanted: Wanted) -> bool:
    """Whether an entry is what the filters ask for."""
    return (
        (not wanted.topic or entry.topic == wanted.topic)
        and (not wanted.kind or entry.kind == wanted.kind)
        and (not wanted.vendor or not entry.vendors or wanted.vendor in entry.vendors)
        and (not wanted.severity or wanted.severity in entry.severities)
        and (not wanted.framework or not entry.frameworks or wanted.framework in entry.frameworks)
    )


def find_entries(wanted: Wanted) -> tuple[Entry, ...]:
    """The entries that are asked for: best answer first, or by topic where nothing is asked.

    As in `kb.search`, a fact that a better answer in the list stands for is not repeated; here
    the filters come first, so that such a fact is found where its rule is filtered out.

    Raises:
        RuleError: an entry of the knowledge base is at fault.
    """
    entries = load_entries()
    if not wanted.question:
        kept = [entry for entry in entries if passes(entry, wanted)]
        topics, kinds, severities = list(TOPICS), list(KINDS), [*SEVERITIES]
        return tuple(
            sorted(
                kept,
                key=lambda entry: (
                    topics.index(entry.topic),
                    kinds.index(entry.kind) if entry.kind != "advice" else 0,
                    severities.index(entry.severities[0]) if entry.severities else 0,
                ),
            )
        )
    scores = load_index().scores(words_of(wanted.question))
    order = sorted(range(len(entries)), key=lambda number: (-scores[number], number))
    found: list[Entry] = []
    told: set[str] = set()
    for number in order:
        entry = entries[number]
        if scores[number] <= 0:
            break
        if not passes(entry, wanted) or set(entry.stands_for) <= told:
            continue
        told |= set(entry.stands_for)
        found.append(entry)
    return tuple(found)


def opened(wanted: Wanted, found: tuple[Entry, ...]) -> Entry | None:
    """The entry to show in full: the one of the address, else the first that was found."""
    if wanted.rule:
        rule = find_rule(wanted.rule)
        return _of_rule(rule) if rule else None
    if wanted.fact:
        fact = find_fact(wanted.fact)
        return _of_fact(fact) if fact else None
    return found[0] if found else None
