"""The events of an audit: the single spine that page, command line, model, replay and tests read.

One JSON object each: `type`, `data`, `audit_id`, `seq`, `at`, `version`, and `parent_call_id` where
it belongs to a sub-agent. Exactly one of the terminal types ends an audit.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.records.base import ArmName, Json, Record
from audit.records.errors import ErrorKind
from audit.records.report import Report
from audit.records.sampled import Sampled
from audit.records.terms import Terms

EVENT_VERSION = 1

StageName = Literal["parse", "profile", "query", "patch", "benchmark", "compare"]
STAGES: tuple[StageName, ...] = ("parse", "profile", "query", "patch", "benchmark", "compare")
StageState = Literal["waiting", "running", "done", "skipped", "failed", "cancelled"]
UsageKind = Literal["loop", "research", "ask"]

EventType = Literal[
    "started",
    "stage",
    "thought",
    "tool_call",
    "tool_result",
    "log",
    "progress",
    "usage",
    "approval_required",
    "approval_decided",
    "turn_reset",
    "final_report",
    "error",
    "cancelled",
]
TERMINAL: frozenset[str] = frozenset({"final_report", "error", "cancelled"})
BOUNDED: frozenset[str] = frozenset({"log", "progress"})
"""Event types kept to the first `MAX_BOUNDED` of an audit."""
MAX_BOUNDED = 1000


class StartedData(Record):
    """What was asked for."""

    workload_name: str
    files: tuple[str, ...]
    hardware: str
    hardware_origin: Literal["stated", "detected", "assumed"]
    gpus: int
    nodes: int
    backend: str
    runner: str
    stages: tuple[StageName, ...] = STAGES
    request: Json = None
    """The redacted request, so that the audit can be run again."""
    prompt: str = ""
    """The system prompt of a model backend, as it was sent; "" where no model was told anything."""


class StageData(Record):
    """A stage changed state."""

    stage: StageName
    state: StageState
    text: str = ""
    """What it found, one plain sentence."""
    seconds: float | None = None
    result: Json = None
    """The record it made (workload, profile, findings, patch, bench, comparison) as JSON."""


class ThoughtData(Record):
    """What the backend says it will do and why."""

    text: str
    turn: int = 0
    """Which of the backend's turns, from 1; 0 in logs of before turns were written down."""


class ToolCallData(Record):
    """The backend calls a tool; arguments are ids, never figures."""

    call_id: str
    tool: str
    arguments: dict[str, Json]
    turn: int = 0


class ToolResultData(Record):
    """What the tool answered; the full result stays in the log under its id."""

    call_id: str
    tool: str
    ok: bool
    text: str
    result_id: str | None = None
    seconds: float = 0.0


class LogData(Record):
    """A line worth keeping."""

    text: str
    hint: bool = False
    """The text was a hint to the model, said to it in these words."""
    sampled: Sampled | None = None
    """Log-probabilities of the turn that comes next in the log."""


class StepPoint(Record):
    """What one arm did in one round, for a chart that grows while a run goes on."""

    arm: ArmName
    index: int
    """Of the round's last optimizer step, warm-up steps counted."""
    seconds: float
    """Per step, mean of the round."""
    tokens_per_s: float
    """Real tokens."""
    loss: float


class ProgressData(Record):
    """How far a long step is."""

    stage: StageName
    text: str
    done: int | None = None
    total: int | None = None
    point: StepPoint | None = None
    """Measured, by the runner that says it."""


class UsageData(Record):
    """What a model call used."""

    kind: UsageKind
    model: str
    input_tokens: int
    output_tokens: int
    usd: float | None = None


class ApprovalRequiredData(Record):
    """A billable run waits for the owner."""

    call_id: str
    text: str
    seconds: float
    """At most."""
    usd: float | None
    """Of the before/after pair, at most; None: the price is not known."""
    note: str = ""
    """What the price is for and what it assumes, in the runner's words."""
    terms: Terms = Field(default_factory=Terms)
    """What the owner may change before approving."""
    trouble: str = ""
    """Why a standing yes does not cover it, or why the last changes do not do."""
    spent_usd: float = 0.0
    """What model and runner have cost in this audit so far."""
    cap_usd: float | None = None
    """What both may cost together; None: no cap was stated."""


class ApprovalDecidedData(Record):
    """The owner decided."""

    call_id: str
    approved: bool
    feedback: str = ""
    changes: dict[str, Json] = Field(default_factory=dict)
    """Field of the terms -> the owner's value."""


class TurnResetData(Record):
    """The text of the model's running turn is void."""

    reason: str


class FinalReportData(Record):
    """The audit's end."""

    report: Report


class ErrorData(Record):
    """The audit ended without a report."""

    kind: ErrorKind
    message: str
    file: str | None = None
    line: int | None = None
    remedy: str | None = None


class CancelledData(Record):
    """The owner cancelled; what was found stays in the log."""

    text: str


EventData = (
    StartedData
    | StageData
    | ThoughtData
    | ToolCallData
    | ToolResultData
    | LogData
    | ProgressData
    | UsageData
    | ApprovalRequiredData
    | ApprovalDecidedData
    | TurnResetData
    | FinalReportData
    | ErrorData
    | CancelledData
)

DATA_OF: dict[str, type[Record]] = {
    "started": StartedData,
    "stage": StageData,
    "thought": ThoughtData,
    "tool_call": ToolCallData,
    "tool_result": ToolResultData,
    "log": LogData,
    "progress": ProgressData,
    "usage": UsageData,
    "approval_required": ApprovalRequiredData,
    "approval_decided": ApprovalDecidedData,
    "turn_reset": TurnResetData,
    "final_report": FinalReportData,
    "error": ErrorData,
    "cancelled": CancelledData,
}
TYPE_OF: dict[type[Record], str] = {data: name for name, data in DATA_OF.items()}


class Event(Record):
    """One event as it is stored and sent: `data` is the JSON of the type's data record."""

    type: EventType
    data: dict[str, Json]
    audit_id: str
    seq: int
    """1, 2, 3, ... within the audit, no gaps."""
    at: str
    """UTC, ISO 8601."""
    version: int = EVENT_VERSION
    parent_call_id: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether this event ends the audit."""
        return self.type in TERMINAL


def read_data(event: Event) -> Record:
    """The typed data of an event."""
    return DATA_OF[event.type].model_validate(event.data)
