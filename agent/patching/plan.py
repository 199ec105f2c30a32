"""Plans a patch: goes through the chosen findings in order, each judged on the file planned so far.

One edit changes what the next may do: memory that a larger micro batch took is gone for the rule
behind it. So before each finding its rule is asked again on the planned workload with a fresh
profile; afterwards the plan must still fit the card and keep the effective batch. In the end all
rules are asked once more: what becomes possible only now (checkpointing off, once bf16 has made
room) belongs into the same patch, not into the next audit. Nothing here touches the user's text;
`agent.patching.propose` does, with what is planned here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.services import Services
from audit.records.finding import FieldEdit, Finding
from audit.records.patch import Why
from audit.records.profile import Profile
from audit.records.workload import Workload

if TYPE_CHECKING:
    from kb.choose import Choice

BATCH = ("per_device_train_batch_size", "gradient_accumulation_steps")
"""Micro batch and accumulation: their product, times the ranks, is the effective batch."""

DERIVED = {
    "compute_dtype": {"bf16", "fp16", "fp8", "model_load_dtype"},
    "effective_batch": {*BATCH, "num_processes", "num_machines"},
}
"""Derived field -> the fields it follows from."""
NO_LONGER = Why("plan", "No longer applies once the other edits are made")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A finding that the patch does not follow, and why."""

    finding: Finding
    why: Why
    advice: str | None = None
    """What to write by hand, where the text could not be edited."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The findings to follow, as their rules see them at their turn, and the others."""

    workload: Workload
    """As planned; the real one is the patched text read again."""
    profile: Profile
    """Of the workload as planned."""
    followed: tuple[Finding, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    found: tuple[Finding, ...] = ()
    """Those among the followed that fire only once the others are followed."""

    @property
    def edits(self) -> tuple[FieldEdit, ...]:
        """One edit per field, the last word of the findings that set it, in order of first use."""
        last: dict[str, FieldEdit] = {}
        for finding in self.followed:
            last |= {edit.field: edit for edit in finding.edits}
        return tuple(last.values())


@dataclass(slots=True)
class _Draft:
    workload: Workload
    profile: Profile
    followed: list[Finding] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)


def plan_patch(
    workload: Workload,
    profile: Profile,
    choices: Sequence[Choice],
    services: Services,
    barred: Mapping[str, LeftOut],
    *,
    grow: bool = True,
    grown: Mapping[str, str] | None = None,
) -> Plan:
    """The plan for `choices`, which stand in the order in which they are to be applied.

    Args:
        workload: the file as written.
        profile: its profile.
        choices: every finding, chosen or not, from `kb.choose`.
        services: the card and the rules.
        barred: rule id -> why the text cannot take it, from an earlier attempt.
        grow: follow also what fires only on the planned workload.
        grown: rule id -> finding id of those that may be followed so; None: all that fire.
    """
    draft = _Draft(workload, profile)
    for choice in choices:
        finding = choice.finding
        if finding.rule_id in barred:
            draft.left_out.append(barred[finding.rule_id])
        elif choice.why:
            draft.left_out.append(LeftOut(finding, choice.why))
        elif finding.edits:
            services.check_cancelled()
            _follow(draft, finding, services)
    if draft.followed and grow:
        known = {choice.finding.rule_id for choice in choices} | barred.keys()
        _grow(draft, choices, services, known, grown)
    return Plan(
        draft.workload,
        draft.profile,
        tuple(draft.followed),
        tuple(draft.left_out),
        tuple(draft.found),
    )


def with_edits(workload: Workload, edits: Sequence[FieldEdit]) -> Workload:
    """The workload as it would be with `edits`, what follows from them derived again."""
    from workload.derive import derive_fields

    planned = workload.with_values(
        {edit.field: None if edit.remove else edit.value for edit in edits}
    )
    touched = {edit.field for edit in edits}
    stale = {name for name, causes in DERIVED.items() if causes & touched}
    rest = {name: found for name, found in planned.fields.items() if name not in stale}
    derived = {name: new for name, new in derive_fields(rest).items() if name in stale}
    return planned.model_copy(update={"fields": rest | derived})


def _follow(draft: _Draft, finding: Finding, services: Services) -> None:
    """Add the finding to the plan, or say why not."""
    first = not draft.followed
    fresh = finding if first else _again(draft, finding, services)
    if fresh is None:
        draft.left_out.append(LeftOut(finding, NO_LONGER))
        return
    planned = with_edits(draft.workload, fresh.edits)
    profile = services.profile(planned)
    objection = _objection(draft, planned, profile, finding)
    if objection is not None:
        draft.left_out.append(LeftOut(fresh, objection))
        return
    draft.workload, draft.profile = planned, profile
    draft.followed.append(fresh.model_copy(update={"id": finding.id, "effect": finding.effect}))


def _grow(
    draft: _Draft,
    choices: Sequence[Choice],
    services: Services,
    known: Set[str],
    grown: Mapping[str, str] | None = None,
) -> None:
    """Follow what fires on the planned workload and is not `known`, until nothing new does.

    A new one that the patch would not follow is not told: it is no finding about the user's file.
    """
    from kb.choose import choose_findings

    request = services.request
    while True:
        fired = services.match(draft.workload, draft.profile).findings
        news = [
            found
            for found in fired
            if found.rule_id not in known
            and found.rule_id not in request.leave_out
            and found.edits
            and (grown is None or found.rule_id in grown)
        ]
        if not news:
            return
        known = known | {found.rule_id for found in news}
        numbered = [found.model_copy(update={"id": found.rule_id}) for found in news]
        for choice in choose_findings([*draft.followed, *numbered], request.include, request.keep):
            if choice.finding in numbered and choice.chosen:
                name = f"f_{len(choices) + len(draft.found) + 1}"
                name = name if grown is None else grown[choice.finding.rule_id]
                followed, left_out = len(draft.followed), len(draft.left_out)
                _follow(draft, choice.finding.model_copy(update={"id": name}), services)
                draft.found += draft.followed[followed:]
                del draft.left_out[left_out:]


def _again(draft: _Draft, finding: Finding, services: Services) -> Finding | None:
    """The finding as its rule sees the planned workload; None where it no longer fires."""
    fired = services.match(draft.workload, draft.profile, {finding.rule_id}).findings
    return next(iter(fired), None)


def _objection(draft: _Draft, planned: Workload, profile: Profile, finding: Finding) -> Why | None:
    """Why the plan may not take this step."""
    before, after = effective_batch(draft.workload), effective_batch(planned)
    if finding.semantics != "dynamics" and before != after:
        return Why("plan", f"It would change the effective batch from {before} to {after}")
    was, fit = draft.profile.fit.get("as_written"), profile.fit.get("as_written")
    if fit is not None and fit.share > 1 and (was is None or fit.share > was.share):
        return Why(
            "no_room",
            f"Together with the other edits the run would not fit: up to {fit.high_gb:.0f} GB, "
            f"{fit.share:.0%} of the card",
        )
    return None


def effective_batch(workload: Workload) -> int | float | None:
    """Micro batch x accumulation (ranks stay as they are); None where one is not a number."""
    values = [workload.value(name, 1) for name in BATCH]
    if not all(isinstance(value, int | float) for value in values):
        return None
    product: int | float = values[0] * values[1]
    return product
