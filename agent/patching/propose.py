"""Writes a plan into the user's text and makes the Patch; what the text cannot take becomes advice.

A finding is followed whole or not at all: when one of its edits cannot be made (a value computed in
the script, a line that holds a secret), none of them is, and the plan is made again without it, so
that no half of a micro batch x accumulation pair is ever written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.patching.launch import launch_line
from agent.patching.plan import LeftOut, Plan
from agent.patching.trade import best_plan
from agent.services import Services
from audit.export.diff_rows import read_diff
from audit.records.finding import FieldEdit, Finding
from audit.records.patch import Edit, Patch, PatchedFile, Why
from audit.records.profile import Profile
from audit.records.upload import Upload
from audit.records.workload import Workload

if TYPE_CHECKING:
    from agent.request import AuditRequest
    from kb.choose import Choice
    from workload.patch import Edited, Outcome

ENV = "env:"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch, the patched text read again (None where nothing is applied), and its plan."""

    patch: Patch
    workload: Workload | None
    plan: Plan


def propose_edits(
    workload: Workload,
    profile: Profile,
    choices: Sequence[Choice],
    services: Services,
    *,
    grow: bool = True,
    grown: Mapping[str, str] | None = None,
) -> Proposal:
    """Plan, write, and plan again without what could not be written, until all of it could.

    `grow` and `grown` as in `plan_patch`.
    """
    barred: dict[str, LeftOut] = {}
    while True:
        plan = best_plan(workload, profile, choices, services, barred, grow=grow, grown=grown)
        edited = (
            write_edits(in_text(workload, plan.edits), services.request) if plan.edits else None
        )
        refused = _refused(plan, edited.outcomes if edited else ())
        if not refused:
            break
        barred |= refused
    patch = _patch(workload, plan, edited, services)
    return Proposal(patch, _patched(patch, edited), plan)


def patched_uploads(request: AuditRequest, patch: Patch) -> tuple[Upload, ...]:
    """The user's files with the edits that a report lists as made in them, made again."""
    edits = [edit.asked for edit in patch.edits if edit.applied and edit.file is not None]
    return write_edits(edits, request).uploads if edits else request.uploads


def in_text(workload: Workload, edits: Sequence[FieldEdit]) -> tuple[FieldEdit, ...]:
    """The edits that belong into the file: variables only where the file sets them itself."""
    return tuple(edit for edit in edits if not _outside(workload, edit))


def outside_text(workload: Workload, edits: Sequence[FieldEdit]) -> dict[str, str]:
    """The variables to export before the launch."""
    return {
        edit.field.removeprefix(ENV): str(edit.value)
        for edit in edits
        if _outside(workload, edit) and not edit.remove
    }


def write_edits(edits: Sequence[FieldEdit], request: AuditRequest) -> Edited:
    """The edits in the user's text, which is read again."""
    from workload.patch import edit_workload

    return edit_workload(
        request.uploads,
        edits,
        versions=request.versions or None,
        lengths=request.lengths,
        dialect=request.dialect,
    )


def _outside(workload: Workload, edit: FieldEdit) -> bool:
    if not edit.field.startswith(ENV):
        return False
    found = workload.fields.get(edit.field)
    return found is None or found.origin != "stated"


def _refused(plan: Plan, outcomes: Sequence[Outcome]) -> dict[str, LeftOut]:
    """Rule id -> why its finding cannot be written."""
    failed = {outcome.edit.field: outcome for outcome in outcomes if not outcome.applied}
    refused: dict[str, LeftOut] = {}
    for finding in plan.followed:
        outcome = next((failed[edit.field] for edit in finding.edits if edit.field in failed), None)
        if outcome is not None:
            reason = outcome.reason or "It cannot be made in this text"
            refused[finding.rule_id] = LeftOut(finding, Why("unwritable", reason), outcome.advice)
    return refused


def _patch(workload: Workload, plan: Plan, edited: Edited | None, services: Services) -> Patch:
    outcomes = {outcome.edit.field: outcome for outcome in edited.outcomes} if edited else {}
    applied = tuple(
        _applied(workload, edit, plan.followed, outcomes.get(edit.field)) for edit in plan.edits
    )
    others = tuple(edit for left in plan.left_out for edit in not_applied(workload, left))
    env = outside_text(workload, plan.edits)
    files = _files(services.request.uploads, edited)
    return Patch(
        edits=applied + others,
        diff=edited.diff if edited else "",
        files=files,
        env=env,
        launch=launch_line(workload, services.request.gpus) if applied else None,
    )


def _applied(
    workload: Workload, edit: FieldEdit, followed: Sequence[Finding], outcome: Outcome | None
) -> Edit:
    asking = [f for f in followed if any(other.field == edit.field for other in f.edits)]
    found = workload.fields.get(edit.field)
    return Edit(
        field=edit.field,
        before=outcome.before if outcome else found.value if found else None,
        after=None if edit.remove else edit.value,
        remove=edit.remove,
        semantics=asking[-1].semantics,
        rule_ids=tuple(finding.rule_id for finding in asking),
        finding_ids=tuple(finding.id for finding in asking),
        applied=True,
        file=outcome.file if outcome else None,
        line=outcome.line if outcome else None,
        reason=None if outcome else "Set outside the file, before the launch",
    )


def not_applied(workload: Workload, left: LeftOut) -> list[Edit]:
    """The edits of a finding that the patch does not follow."""
    edits = []
    for edit in left.finding.edits:
        found = workload.fields.get(edit.field)
        edits.append(
            Edit(
                field=edit.field,
                before=found.value if found else None,
                after=None if edit.remove else edit.value,
                remove=edit.remove,
                semantics=left.finding.semantics,
                rule_ids=(left.finding.rule_id,),
                finding_ids=(left.finding.id,),
                applied=False,
                file=found.file if found else None,
                line=found.line if found else None,
                reason=left.why.text,
                cause=left.why.cause,
                advice=left.advice,
            )
        )
    return edits


def _files(before: Sequence[Upload], edited: Edited | None) -> tuple[PatchedFile, ...]:
    after = {upload.name: upload for upload in edited.uploads} if edited else {}
    counts = _changed_lines(edited.diff) if edited else {}
    return tuple(
        PatchedFile(
            name=upload.name,
            sha256_before=upload.digest,
            sha256_after=after[upload.name].digest,
            added=counts.get(upload.name, (0, 0))[0],
            removed=counts.get(upload.name, (0, 0))[1],
        )
        for upload in before
        if upload.name in after and after[upload.name].data != upload.data
    )


def _changed_lines(diff: str) -> dict[str, tuple[int, int]]:
    """File name -> lines added and removed."""
    counts: dict[str, tuple[int, int]] = {}
    name = ""
    for row in read_diff(diff):
        if row.kind == "file":
            name = row.text
        added, removed = counts.get(name, (0, 0))
        counts[name] = (added + (row.kind == "added"), removed + (row.kind == "removed"))
    return counts


def _patched(patch: Patch, edited: Edited | None) -> Workload | None:
    """The re-read text, in the environment that the patch exports."""
    if edited is None:
        return None
    if not patch.env:
        return edited.workload
    return edited.workload.with_values({ENV + name: value for name, value in patch.env.items()})
