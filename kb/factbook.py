"""Loads the facts: what we know with its sources, whether or not a rule acts on it."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field, ValidationError

from audit.records.base import Record
from audit.records.finding import Semantics, Source
from kb.rule import Vendor
from kb.rulebook import ROOM, RuleError, find_sources, read_yaml

FACTS = ROOM / "facts"

FactKind = Literal["rule", "anti", "hazard"]
"""rule: advice that holds. anti: common advice that is wrong or out of date. hazard: what crashes
or trains the wrong thing."""


class Fact(Record):
    """One entry of `kb/facts/<area>.yaml`."""

    id: str
    kind: FactKind
    title: str
    claim: str
    applies_when: str
    action: dict[str, str] = Field(default_factory=dict)
    """Framework -> what to write there."""
    effect: str | None = None
    """A published figure with its conditions."""
    memory: str | None = None
    semantics: Semantics
    vendor: Vendor | None = None
    archs: tuple[str, ...] = ()
    versions: str | None = None
    """What it was read for, in words."""
    caveats: str | None = None
    confidence: Literal["high", "medium", "low"] = "high"
    """That the source says so or the mechanism exists; not that it brings speed."""
    source_ids: tuple[str, ...] = Field(min_length=1, alias="sources")
    sources_read: tuple[Source, ...] = ()
    """Filled in by the loader."""


@cache
def load_facts() -> tuple[Fact, ...]:
    """All facts, by area; loaded and checked once per process.

    Raises:
        RuleError: naming the file and the fact.
    """
    facts: dict[str, Fact] = {}
    for path in sorted(FACTS.glob("*.yaml")):
        for entry in read_yaml(path).value:
            name = str(entry.get("id", "a fact without id"))
            try:
                fact = Fact.model_validate(entry)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"])
                raise RuleError(path.name, name, f"{place} {first['msg']}") from error
            if fact.id in facts or not fact.id.startswith(path.stem + "."):
                raise RuleError(path.name, name, "its id is taken, or not of this area")
            sources = find_sources(fact.source_ids, path.name, fact.id)
            facts[fact.id] = fact.model_copy(update={"sources_read": sources})
    return tuple(facts.values())


def find_fact(fact_id: str) -> Fact | None:
    """The fact of this id."""
    return next((fact for fact in load_facts() if fact.id == fact_id), None)
