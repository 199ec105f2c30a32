"""Folds the events of an audit into what the page shows; knows neither gradio nor the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from audit.records.events import (
    STAGES,
    ApprovalDecidedData,
    ApprovalRequiredData,
    CancelledData,
    ErrorData,
    Event,
    FinalReportData,
    LogData,
    ProgressData,
    StageData,
    StageState,
    StartedData,
    StepPoint,
    read_data,
)
from audit.records.finding import Finding
from audit.records.report import Report
from ui.calls import Call, Used, with_call, with_usage
from ui.timeline import StageLine

State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class AuditView:
    """Everything the page knows of an audit after some of its events."""

    audit_id: str
    seq: int = 0
    started: StartedData | None = None
    started_at: str | None = None
    stages: tuple[StageLine, ...] = tuple(StageLine(name) for name in STAGES)
    findings: tuple[Finding, ...] = ()
    points: tuple[StepPoint, ...] = ()
    """Of the benchmark that runs: what each arm did, round by round."""
    report: Report | None = None
    error: ErrorData | None = None
    cancelled: CancelledData | None = None
    pending: ApprovalRequiredData | None = None
    """What waits for the owner's decision."""
    research: tuple[tuple[str, str], ...] = ()
    """Id of the call and what its sub-agent said last."""
    waiting: int = 0
    """How many audits wait for their turn, this one among them; told until it begins."""
    calls: tuple[Call, ...] = ()
    used: Used = field(default_factory=Used)

    @property
    def state(self) -> State:
        """Where the audit stands."""
        if self.report is not None:
            return "done"
        if self.error is not None:
            return "failed"
        if self.cancelled is not None:
            return "cancelled"
        return "waiting" if self.started is None else "running"

    @property
    def ended(self) -> bool:
        """Whether no further event can come."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def current(self) -> StageLine | None:
        """The stage that runs now, or is about to."""
        if self.ended or self.started is None:
            return None
        running = next((line for line in self.stages if line.state == "running"), None)
        return running or next((line for line in self.stages if line.state == "waiting"), None)


def findings_in(result: object) -> tuple[Finding, ...]:
    """The findings in a stage's result, whether it is a list or holds one."""
    if isinstance(result, dict):
        result = result.get("findings")
    if not isinstance(result, list):
        return ()
    return tuple(Finding.model_validate(item) for item in result)


def _with_stage(view: AuditView, data: StageData, at: str) -> AuditView:
    lines = []
    for line in view.stages:
        if line.name != data.stage:
            lines.append(line)
            continue
        since = at if data.state == "running" else line.since
        text = data.text or line.text
        lines.append(line._replace(state=data.state, text=text, seconds=data.seconds, since=since))
    view = replace(view, stages=tuple(lines))
    if data.stage == "query" and data.state == "done":
        view = replace(view, findings=findings_in(data.result))
    return view


def _with_progress(view: AuditView, data: ProgressData) -> AuditView:
    lines = tuple(
        line._replace(steps=(*line.steps[-7:], data.text)) if line.name == data.stage else line
        for line in view.stages
    )
    view = replace(view, stages=lines)
    if data.point is None:
        return view
    again = data.done == 1 and data.point.arm == "baseline"  # another benchmark begins
    before = () if again else view.points
    return replace(view, points=(*before, data.point))


def _closed(view: AuditView, state: Literal["failed", "cancelled"]) -> AuditView:
    """The stages once the audit ended early: the running one, and those it never came to."""
    ends: dict[StageState, StageState] = {"running": state, "waiting": "skipped"}
    lines = tuple(line._replace(state=ends.get(line.state, line.state)) for line in view.stages)
    return replace(view, stages=lines)


def fold(view: AuditView, event: Event) -> AuditView:
    """The view after one more event."""
    calls, used = with_call(view.calls, event), with_usage(view.used, event)
    view = replace(view, seq=event.seq, calls=calls, used=used)
    data = read_data(event)
    if event.parent_call_id is not None:
        said = data.text if isinstance(data, LogData) else None
        research = {**dict(view.research), event.parent_call_id: said} if said else None
        return replace(view, research=tuple(research.items())) if research else view
    if isinstance(data, StartedData):
        return replace(view, started=data, started_at=event.at)
    if isinstance(data, StageData):
        return _with_stage(view, data, event.at)
    if isinstance(data, ProgressData):
        return _with_progress(view, data)
    if isinstance(data, ApprovalRequiredData):
        return replace(view, pending=data)
    if isinstance(data, ApprovalDecidedData):
        return replace(view, pending=None)
    if isinstance(data, FinalReportData):
        return replace(view, report=data.report, findings=data.report.findings)
    if isinstance(data, ErrorData):
        return replace(_closed(view, "failed"), error=data, pending=None)
    if isinstance(data, CancelledData):
        return replace(_closed(view, "cancelled"), cancelled=data, pending=None)
    return view


def fold_all(view: AuditView, events: Iterable[Event]) -> AuditView:
    """The view after several more events."""
    for event in events:
        view = fold(view, event)
    return view
