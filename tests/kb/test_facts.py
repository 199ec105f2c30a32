"""Every fact is whole, has a source, and every rule names facts that exist."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from kb.factbook import find_fact, load_facts
from kb.rule import Rule
from kb.rulebook import load_rules, load_sources

FACTS = load_facts()
RULES = load_rules()


def test_ids_and_titles_are_unique() -> None:
    assert len({fact.id for fact in FACTS}) == len(FACTS) > 220
    twice = [title for title, n in Counter(fact.title for fact in FACTS).items() if n > 1]
    assert twice == []


def test_every_fact_reads_like_one() -> None:
    for fact in FACTS:
        assert fact.claim[-1] in '.")', fact.id
        assert len(fact.claim) <= 400, fact.id
        assert len(fact.title) <= 90, fact.id
        assert not fact.title.endswith("."), fact.id
        assert fact.sources_read, fact.id
        assert "/work/" not in fact.model_dump_json(), fact.id


def test_a_figure_comes_with_its_conditions() -> None:
    for fact in FACTS:
        if fact.effect:
            assert ";" in fact.effect, fact.id


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_rules_name_facts_that_exist(rule: Rule) -> None:
    assert [fact for fact in rule.facts if find_fact(fact) is None] == []
    assert len(set(rule.facts)) == len(rule.facts)


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_is_no_broader_than_its_facts(rule: Rule) -> None:
    """A rule whose central fact speaks of one maker's cards does not fire on the other's."""
    central = find_fact(rule.facts[0])
    assert central is not None
    if central.vendor is None:
        return
    inert = rule.semantics == "neutral" and not rule.vendors
    assert rule.vendors == (central.vendor,) or inert, "an inert variable is inert everywhere"


def test_every_source_is_used() -> None:
    used = {s for fact in FACTS for s in fact.source_ids}
    used |= {s for rule in RULES for s in rule.source_ids}
    assert set(load_sources()) == used


@pytest.mark.shared
def test_no_fact_of_the_reference_is_lost(shared: Path) -> None:
    reference = json.loads((shared / "reference" / "kb_facts.json").read_text())["facts"]
    assert {fact["id"] for fact in reference} <= {fact.id for fact in FACTS}
