"""Cuts a patch into groups of edits that only make sense together, in the order of the patch.

Edits that one finding asks for belong together (micro batch and accumulation), and so do findings
whose rules require each other or that share an edit.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from audit.records.finding import FieldEdit
from audit.records.patch import Edit, Patch

ENV = "env:"


@dataclass(frozen=True, slots=True)
class EditGroup:
    """Edits that are made together or not at all."""

    rule_ids: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """What they change."""
        return tuple(edit.field for edit in self.edits)

    @property
    def name(self) -> str:
        """`gradient_checkpointing`, or several with commas."""
        return ", ".join(self.fields)


def edit_groups(patch: Patch) -> tuple[EditGroup, ...]:
    """The groups of the applied edits."""
    edits = [edit for edit in patch.edits if edit.applied]
    links = [set(edit.rule_ids) for edit in edits]
    links += _required({rule for edit in edits for rule in edit.rule_ids})
    joined = _joined(links)
    groups = [
        EditGroup(
            rule_ids=tuple(sorted(rules)),
            edits=tuple(edit for edit in edits if set(edit.rule_ids) <= rules),
        )
        for rules in joined
    ]
    places = {step.rule_id: number for number, step in enumerate(patch.steps)}
    first = {rule: number for number, edit in reversed(list(enumerate(edits)))
             for rule in edit.rule_ids}  # fmt: skip
    return tuple(sorted(groups, key=lambda group: _place(group, places, first)))


def shown(groups: Iterable[EditGroup], fields: Container[str] | None) -> tuple[EditGroup, ...]:
    """Those of which a run shows something; `fields`: what differed in it, None: not known."""
    return tuple(
        group for group in groups if fields is None or any(name in fields for name in group.fields)
    )


def field_edits(groups: Sequence[EditGroup]) -> tuple[FieldEdit, ...]:
    """Their edits, as a workload takes them."""
    return tuple(edit.asked for group in groups for edit in group.edits)


def variables(groups: Sequence[EditGroup], outside: Container[str]) -> dict[str, str]:
    """The variables among them that the patch exports before the launch."""
    return {
        edit.field.removeprefix(ENV): str(edit.after)
        for group in groups
        for edit in group.edits
        if edit.field.startswith(ENV) and not edit.remove
        and edit.field.removeprefix(ENV) in outside
    }  # fmt: skip


def _required(rules: set[str]) -> list[set[str]]:
    """Rules of the patch that another one of it requires, with that one."""
    from kb.rulebook import load_rules

    return [
        {rule.id, *(set(rule.requires) & rules)}
        for rule in load_rules()
        if rule.id in rules and set(rule.requires) & rules
    ]


def _joined(links: list[set[str]]) -> list[frozenset[str]]:
    """Sets that share a member become one."""
    joined: list[set[str]] = []
    for link in links:
        touching = [one for one in joined if one & link]
        joined = [one for one in joined if not one & link]
        joined.append(link.union(*touching))
    return [frozenset(one) for one in joined]


def _place(group: EditGroup, places: dict[str, int], first: dict[str, int]) -> tuple[int, int]:
    """Where the patch follows it first."""
    last = len(places)
    return (
        min(places.get(rule, last) for rule in group.rule_ids),
        min(first.get(rule, 0) for rule in group.rule_ids),
    )
