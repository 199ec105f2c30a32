"""Which edits the same file wants on another card: planned on its fields, no text is written.

The user's own choice of edits in the audit is kept: what was switched off stays off, kept fields
stay, changes of what is learned stay out unless they were let in, and what the text could not take
there it cannot take here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from agent.finished.rebuild import OFF, followed
from agent.patching.effects import with_effects
from agent.patching.plan import LeftOut, with_edits
from agent.patching.trade import best_plan
from agent.request import AuditRequest
from agent.services import Services, make_services
from audit.records.finding import DEFAULT_INCLUDE, FieldEdit, Finding, Semantics
from audit.records.patch import Cause, Edit, Why
from audit.records.report import Report
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware


class Wishes(NamedTuple):
    """What an audit's owner let in and left out, read from the patch of the report."""

    off: frozenset[str]
    """Rules."""
    on: frozenset[str]
    """Rules followed although they change what is learned."""
    keep: frozenset[str]
    """Fields."""
    barred: frozenset[tuple[str, str]]
    """Rules that the text could not take, and why."""
    numerics: bool


class Replanned(NamedTuple):
    """The plan for another card."""

    workload: Workload
    edits: tuple[FieldEdit, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    fingerprint: str
    card: str
    gpus: int
    nodes: int
    wishes: Wishes
    workload: Workload = field(compare=False)


def wishes_of(report: Report) -> Wishes:
    """What the owner of an audit wants of any patch of this file."""
    left = [edit for edit in report.patch.edits if not edit.applied]
    made = followed(report)
    dynamics = {one.rule_id for one in report.findings if one.semantics == "dynamics"}
    return Wishes(
        off=frozenset(_rules(left, "unwanted")) - made,
        on=made & dynamics,
        keep=frozenset(edit.field for edit in left if edit.cause == "kept"),
        barred=frozenset(_rules(left, "unwritable").items()),
        numerics=not any(
            edit.cause == "not_included" and edit.semantics == "numerics" for edit in left
        ),
    )


def _rules(edits: Iterable[Edit], cause: Cause) -> dict[str, str]:
    """Rule id -> the reason in words, of the edits left out for that cause."""
    return {
        rule: edit.reason or "" for edit in edits if edit.cause == cause for rule in edit.rule_ids
    }


def replan(
    workload: Workload, card: Hardware, gpus: int, nodes: int, wishes: Wishes
) -> Replanned | None:
    """The file with the edits that its rules ask for on this card; None where they ask for none."""
    return _replan(_Key(workload.fingerprint, card.id, gpus, nodes, wishes, workload))


@lru_cache(maxsize=256)
def _replan(key: _Key) -> Replanned | None:
    from kb.choose import Choice, choose_findings

    services, workload, wishes = _services(key), key.workload, key.wishes
    profile = services.profile(workload)
    fired = services.match(workload, profile).findings
    wanted = [one for one in fired if _wanted(one, wishes)]
    stops = [edit for one in wanted if one.stops_run for edit in one.edits]
    ordered = with_effects(wanted, with_edits(workload, stops), services)
    choices = list(choose_findings(ordered, services.request.include, wishes.keep))
    # Told to the planner as well, or it would follow them as new on the planned file.
    choices += [Choice(one, OFF) for one in fired if one not in wanted]
    why = dict(wishes.barred)
    barred = {
        one.rule_id: LeftOut(one, Why("unwritable", why[one.rule_id]))
        for one in ordered
        if one.rule_id in why
    }
    plan = best_plan(workload, profile, choices, services, barred)
    return Replanned(plan.workload, plan.edits) if plan.edits else None


def _wanted(finding: Finding, wishes: Wishes) -> bool:
    if finding.rule_id in wishes.off:
        return False
    return finding.semantics != "dynamics" or finding.rule_id in wishes.on


def _services(key: _Key) -> Services:
    included: set[Semantics] = {*DEFAULT_INCLUDE}
    if key.wishes.on:
        included.add("dynamics")
    if not key.wishes.numerics:
        included.discard("numerics")
    request = AuditRequest(
        uploads=(),
        hardware=key.card,
        gpus=key.gpus,
        nodes=key.nodes,
        include=frozenset(included),
        keep=key.wishes.keep,
    )
    return make_services(request)
