"""A second round: a new audit that takes over what an earlier one read, profiled and found.

It goes on from the patch stage under new constraints: fields to keep, findings to leave out. The
earlier log stays as it is; the new one names its parent and holds the stages taken over as events
of its own, so that each log can be read alone. Where the new constraints change what runs as
"before", the knowledge base is asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from agent.request import AuditRequest, request_from
from agent.stages import may_edit, with_baseline
from agent.state import AuditState
from audit.records.errors import UserError
from audit.records.events import Event, LogData, StageData, StageName, StartedData, read_data
from audit.records.finding import Check, Finding
from audit.records.profile import Profile
from audit.records.report import Report
from audit.records.workload import Workload

if TYPE_CHECKING:
    from agent.run import AuditRun
    from audit.log.store import Store

TAKEN: tuple[StageName, ...] = ("parse", "profile", "query")
"""The stages that a second round takes over."""


class Recorded(NamedTuple):
    """What the log of an audit holds of its first three stages."""

    audit_id: str
    asked: AuditRequest
    """Without the bytes."""
    stages: tuple[StageData, ...]
    workload: Workload
    profile: Profile
    findings: tuple[Finding, ...]
    checked: tuple[Check, ...]


def taken_over(request: AuditRequest, store: Store) -> Recorded | None:
    """What a second round takes over; None where its first round is gone by now."""
    try:
        return recorded(store.events(request.parent)) if request.parent else None
    except UserError:
        return None


def recorded(events: Sequence[Event]) -> Recorded:
    """The first three stages of an audit, from its events.

    Raises:
        UserError: it did not come that far, or another version made it.
    """
    data = [read_data(event) for event in events]
    started = next((one for one in data if isinstance(one, StartedData)), None)
    last: dict[str, StageData] = {}
    for one in data:
        if isinstance(one, StageData) and one.stage in TAKEN and one.result is not None:
            last[one.stage] = one
    if started is None or len(last) < len(TAKEN):
        message = "this audit ended before anything could be taken over"
        raise UserError(message, remedy="Run it again.")
    result = last["query"].result
    try:
        return Recorded(
            audit_id=events[0].audit_id,
            asked=request_from(started.request, ()),
            stages=tuple(last[name] for name in TAKEN),
            workload=Workload.model_validate(last["parse"].result),
            profile=Profile.model_validate(last["profile"].result),
            findings=tuple(Finding.model_validate(one) for one in result["findings"]),
            checked=tuple(Check.model_validate(one) for one in result["checked"]),
        )
    except (ValidationError, KeyError, TypeError) as error:
        message = "this audit was made by another version of GPU Goblin"
        raise UserError(message, remedy="Run it again.") from error


def check_wishes(report: Report, keep: Collection[str], leave_out: Collection[str]) -> None:
    """Refuse what is no field or key of the file, and a rule that found nothing here.

    Raises:
        UserError: names what is not known, and what is.
    """
    from workload.field_names import FieldNames

    FieldNames(report.workload_name, report.format, report.fields).fields_of(keep)
    rules = {finding.rule_id for finding in report.findings}
    unknown = sorted(set(leave_out) - rules)
    if unknown:
        message = f"this audit has no finding of the rule {', '.join(unknown)}"
        raise UserError(message, remedy=f"It has: {', '.join(sorted(rules)) or 'none'}")


def take_over(run: AuditRun, taken: Recorded) -> None:
    """Move a fresh run to where the earlier one stood before its patch; each stage is told.

    What the new constraints change is not taken over: the run does it anew.
    """
    state = AuditState(workload=taken.workload, profile=taken.profile)
    names: tuple[StageName, ...] = TAKEN[:2]
    if _same_start(taken, run.services.request):
        state = with_baseline(state, taken.workload, taken.findings, run.services)
        state = state.moved(findings=taken.findings, checked=taken.checked)
        names = TAKEN
    told = f"Second round of audit {taken.audit_id}: {', '.join(names)} are taken over."
    run.services.record(LogData(text=told))
    run.state = state
    for stage in taken.stages[: len(names)]:
        run.services.record(stage.model_copy(update={"seconds": 0.0}))


def _same_start(taken: Recorded, request: AuditRequest) -> bool:
    """Whether the run "before" is the same under the new constraints."""
    stops = [finding for finding in taken.findings if finding.stops_run]
    return all(may_edit(one, taken.asked) == may_edit(one, request) for one in stops)
