"""Loads the rules and sources from YAML, checks them, and says which file and rule is at fault."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from audit.records.finding import Source
from kb.kept import Content, read_content
from kb.rule import Rule

ROOM = Path(__file__).parent
RULES, SOURCES = ROOM / "rules", ROOM / "sources.yaml"


class RuleError(ValueError):
    """An entry of the knowledge base is at fault: the file, the entry, and what is wrong."""

    def __init__(self, file: str, entry: str, reason: str) -> None:
        self.file, self.entry, self.reason = file, entry, reason
        super().__init__(f"{file}: {entry}: {reason}")


def read_yaml(path: Path) -> Content:
    """The content of one of our own YAML files.

    Raises:
        RuleError: it is no YAML; with line and column.
    """
    try:
        return read_content(path)
    except yaml.YAMLError as error:
        raise RuleError(path.name, "the file", " ".join(str(error).split())) from error


@cache
def load_sources() -> dict[str, Source]:
    """Source id -> title, address and the date or release it was read for.

    Raises:
        RuleError: an entry is not [title, address, date].
    """
    found: dict[str, Source] = {}
    for key, entry in read_yaml(SOURCES).value.items():
        if not isinstance(entry, list) or len(entry) != 3:
            raise RuleError(SOURCES.name, str(key), "give [title, address, as of]")
        title, url, as_of = (str(part) for part in entry)
        found[str(key)] = Source(title=title, url=url, as_of=as_of)
    return found


def find_sources(ids: tuple[str, ...], file: str, entry: str) -> tuple[Source, ...]:
    """The sources of these ids.

    Raises:
        RuleError: an id is not in sources.yaml.
    """
    known = load_sources()
    for one in ids:
        if one not in known:
            raise RuleError(file, entry, f"no source is called {one!r}")
    return tuple(known[one] for one in ids)


@cache
def load_rules() -> tuple[Rule, ...]:
    """All rules, by file and in the order of each file; loaded and checked once per process.

    Raises:
        RuleError: naming the file and the rule.
    """
    return read_rules(RULES)


def read_rules(folder: Path) -> tuple[Rule, ...]:
    """The rules of a folder of topic files, checked unless this very content was before.

    Raises:
        RuleError: naming the file and the rule.
    """
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.yaml")):
        content = read_yaml(path)
        for entry in content.value:
            rule = _read_rule(entry, path, check=not content.checked)
            if rule.id in rules:
                raise RuleError(path.name, rule.id, "a second rule has this id")
            rules[rule.id] = rule
    for rule in rules.values():
        for other in (*rule.requires, *rule.excludes, *rule.supersedes):
            if other not in rules or other == rule.id:
                raise RuleError(_topic(rule.id), rule.id, f"names the rule {other!r}")
    return tuple(rules.values())


def _read_rule(entry: Any, path: Path, *, check: bool) -> Rule:
    name = str(entry.get("id", "a rule without id")) if isinstance(entry, dict) else "an entry"
    try:
        rule = Rule.model_validate(entry)
        if check:
            rule.compile_all()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RuleError(path.name, name, f"{place} {first['msg']}".strip()) from error
    except ValueError as error:
        raise RuleError(path.name, name, str(error)) from error
    if _topic(rule.id) != path.name:
        raise RuleError(path.name, name, f"its id belongs into {_topic(rule.id)}")
    sources = find_sources(rule.source_ids, path.name, rule.id)
    return rule.model_copy(update={"sources_read": sources})


def _topic(rule_id: str) -> str:
    return rule_id.partition(".")[0] + ".yaml"


def find_rule(rule_id: str) -> Rule | None:
    """The rule of this id."""
    return next((rule for rule in load_rules() if rule.id == rule_id), None)


@cache
def fatal_rules() -> frozenset[str]:
    """Ids of the rules that may find what stops a run."""
    return frozenset(rule.id for rule in load_rules() if rule.stops_run)
