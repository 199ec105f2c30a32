"""The knowledge base as a whole: sources, dates, relations, opposites, decisions."""

from __future__ import annotations

import re
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest

from kb.factbook import load_facts
from kb.match import match_rules
from kb.rule import EditPlan, Rule
from kb.rulebook import load_rules, load_sources
from tests.kb.situations import make_case

RULES = {rule.id: rule for rule in load_rules()}
ROOM = Path(__file__).resolve().parents[2]
DECISIONS = (ROOM / "docs" / "decisions" / "002-facts-decided.md").read_text()
ADDRESS = re.compile(r"https://\S+|pypi:[\w.-]+==[\w.]+( \S.*)?|github:[\w.-]+/[\w.-]+ \S.*")
MONTHS = 24
UNAGING = ("stale", "data sheet", "whitepaper", "era")
"""Words of an as-of that excuse its age: it is flagged, or speaks of hardware."""


def dated(as_of: str) -> date | None:
    """The day that an as-of names; a release names none."""
    found = re.match(r"(20\d\d)(?:-([01]\d))?(?:-([0-3]\d))?(?![\d-])", as_of)
    if found is None:
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    return date(year, month, day)


@pytest.mark.parametrize("name", sorted(load_sources()))
def test_a_source_has_an_address_and_a_date(name: str) -> None:
    source = load_sources()[name]
    assert ADDRESS.fullmatch(source.url), source.url
    assert source.title
    assert source.as_of


def test_old_sources_say_that_they_are() -> None:
    days = {name: dated(source.as_of) for name, source in load_sources().items()}
    newest = max(day for day in days.values() if day)
    old = [
        name
        for name, day in days.items()
        if day and (newest.year - day.year) * 12 + newest.month - day.month > MONTHS
    ]
    unflagged = [n for n in old if not any(w in load_sources()[n].as_of for w in UNAGING)]
    assert unflagged == []


def scope(rule: Rule) -> tuple[object, ...]:
    """What a rule is asked of, and its condition."""
    return (rule.vendors, rule.archs, rule.multi_gpu, rule.versions, rule.applies, rule.when)


def opposite(one: EditPlan, other: EditPlan) -> bool:
    same_place = one.field == other.field and one.when == other.when
    shared = (
        not one.frameworks or not other.frameworks or set(one.frameworks) & set(other.frameworks)
    )
    differs = (one.value, one.formula, one.remove) != (other.value, other.formula, other.remove)
    return bool(same_place and shared and differs)


def test_no_two_rules_with_one_condition_and_opposite_edits() -> None:
    for one, other in combinations(RULES.values(), 2):
        if scope(one) == scope(other) and set(one.frameworks) & set(other.frameworks):
            pairs = [(a, b) for a in one.edits for b in other.edits if opposite(a, b)]
            assert not pairs, (one.id, other.id)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_findings_that_fire_together_agree_or_are_told_apart(rule: Rule) -> None:
    """Where a rule's example fires others too, two values for a field come with a relation."""
    findings = match_rules(*make_case(rule.fires_on)).findings
    own = next(finding for finding in findings if finding.rule_id == rule.id)
    wanted = {edit.field: edit for edit in own.edits}
    for other in findings:
        clash = [e.field for e in other.edits if wanted.get(e.field, e) != e]
        if clash:
            related = {*rule.excludes, *rule.supersedes, *rule.requires}
            theirs = RULES[other.rule_id]
            back = {*theirs.excludes, *theirs.supersedes, *theirs.requires}
            weight = own.stops_run != other.stops_run or rule.order != theirs.order
            assert other.rule_id in related or rule.id in back or weight, (other.rule_id, clash)


def test_relations_are_consistent() -> None:
    for rule in RULES.values():
        assert not set(rule.requires) & set(rule.excludes), rule.id
        assert not set(rule.requires) & set(rule.supersedes), rule.id
        for needed in rule.requires:
            assert rule.id not in RULES[needed].excludes, (rule.id, needed)
            assert rule.id not in RULES[needed].requires, (rule.id, needed)
        for gone in rule.supersedes:
            assert rule.id not in RULES[gone].supersedes, (rule.id, gone)


def test_severity_fits_what_is_said() -> None:
    for rule in RULES.values():
        if rule.stops_run is True:
            assert rule.severity == "critical", rule.id
        if rule.severity == "critical":
            assert rule.effect.metric in ("starts", "quality"), rule.id


def test_collectives_are_for_several_gpus() -> None:
    for rule in RULES.values():
        if rule.id.startswith(("collectives.", "parallel.")):
            assert rule.multi_gpu, rule.id


def decisions() -> dict[str, tuple[str, str, str]]:
    """Fact id -> kind, rule id, reason."""
    rows = re.findall(r"^\| ([\w.]+) \| ([^|]+?) \| ([^|]+?) \|$", DECISIONS, re.MULTILINE)
    found: dict[str, tuple[str, str, str]] = {}
    for fact, decision, reason in rows:
        if "." not in fact:
            continue
        assert fact not in found, f"{fact} is decided twice"
        kind, _, rule = decision.partition(" ")
        found[fact] = (decision, "", reason) if kind == "searchable" else (kind, rule, reason)
    return found


def test_every_fact_is_decided_once_and_as_the_rules_say() -> None:
    decided = decisions()
    assert set(decided) == {fact.id for fact in load_facts()}
    listed = {fact for rule in RULES.values() for fact in rule.facts}
    for fact, (kind, rule_id, reason) in decided.items():
        assert reason.strip(), fact
        if kind == "searchable only":
            assert fact not in listed, fact
            continue
        rule = RULES[rule_id]
        assert fact in rule.facts, (fact, rule_id)
        assert kind == ("rule" if rule.edits else "advice"), (fact, rule_id)
