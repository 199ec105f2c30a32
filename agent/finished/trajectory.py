"""Makes the trajectory of a kept audit from its events: the conversation as its backend had it.

Turns are told by their number; the answers are fenced as the model saw them. Of an audit by the
rules the conversation is the one that a model would have had: its prompt is made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from agent.backends import ToolResult
from agent.backends.schemas import chat_tools
from agent.conversation import TASK
from agent.prompt import shown, system_prompt
from agent.request import request_from
from agent.tools import TOOLS
from audit.export.reward import Reward, reward_of
from audit.records.errors import InputError
from audit.records.events import (
    CancelledData,
    ErrorData,
    Event,
    FinalReportData,
    LogData,
    StageData,
    StartedData,
    ThoughtData,
    ToolCallData,
    ToolResultData,
    read_data,
)
from audit.records.sampled import Sampled
from audit.records.trajectory import Outcome, Trajectory, TrajectoryCall, TrajectoryMessage
from kb.catalog.hardware import find_hardware

NOT_ENDED = Reward(None, "The audit has no report.")


def trajectory_of(events: Sequence[Event]) -> Trajectory:
    """The trajectory of one audit.

    Raises:
        InputError: the log holds no start of this audit.
    """
    data = [read_data(event) for event in events if event.parent_call_id is None]
    started = next((one for one in data if isinstance(one, StartedData)), None)
    if started is None:
        message = "this audit ended before it started; it has no conversation"
        raise InputError(message)
    last = data[-1]
    outcome, ended, reward = _outcome(last)
    return Trajectory(
        audit_id=events[0].audit_id,
        upload=_upload(data),
        workload_name=started.workload_name,
        backend=started.backend,
        outcome=outcome,
        ended=ended,
        messages=(
            TrajectoryMessage(role="system", content=started.prompt or _prompt(started)),
            TrajectoryMessage(role="user", content=TASK),
            *_messages(data),
        ),
        tools=tuple(chat_tools(tuple(TOOLS.values()))),
        reward=reward.value,
        reward_reason=reward.reason,
    )


def _prompt(started: StartedData) -> str:
    """What a model would have been told of this audit."""
    request = request_from(started.request, ())
    return system_prompt(request, find_hardware(started.hardware))


def _messages(data: Sequence[object]) -> Iterator[TrajectoryMessage]:
    """Assistant, answers, assistant, ...; a hint of the loop is the user's."""
    turn, sampled = _Turn(0), None
    for one in data:
        if isinstance(one, ThoughtData | ToolCallData) and one.turn != turn.number:
            yield from turn.messages()
            turn = _Turn(one.turn, sampled)
            sampled = None
        if isinstance(one, ThoughtData):
            turn.text = one.text
        elif isinstance(one, ToolCallData):
            turn.calls.append(one)
        elif isinstance(one, ToolResultData):
            turn.results.append(one)
        elif isinstance(one, LogData):
            turn.hint = one.text if one.hint else turn.hint
            sampled = one.sampled or sampled
    yield from turn.messages()


class _Turn:
    """What one turn of the backend holds until the next begins."""

    def __init__(self, number: int, sampled: Sampled | None = None) -> None:
        self.number, self.text, self.hint, self.sampled = number, "", "", sampled
        self.calls: list[ToolCallData] = []
        self.results: list[ToolResultData] = []

    def messages(self) -> Iterator[TrajectoryMessage]:
        if self.text or self.calls:
            calls = tuple(
                TrajectoryCall(id=one.call_id, name=one.tool, arguments=one.arguments)
                for one in self.calls
            )
            yield TrajectoryMessage(
                role="assistant", content=self.text, calls=calls, sampled=self.sampled
            )
        for one in self.results:
            result = ToolResult(one.call_id, one.tool, ok=one.ok, text=one.text)
            yield TrajectoryMessage(
                role="tool", content=shown(result), call_id=one.call_id, name=one.tool
            )
        if self.hint:
            yield TrajectoryMessage(role="user", content=self.hint)


def _outcome(last: object) -> tuple[Outcome, str, Reward]:
    if isinstance(last, FinalReportData):
        report = last.report
        return "report", report.comparison.reason, reward_of(report)
    if isinstance(last, ErrorData):
        return "error", last.message, NOT_ENDED
    if isinstance(last, CancelledData):
        return "cancelled", last.text, NOT_ENDED
    return "unfinished", "The audit has no end yet.", NOT_ENDED


def _upload(data: Sequence[object]) -> str:
    """Digest of the digests of the files, in the order of their names."""
    for one in data:
        if isinstance(one, StageData) and one.stage == "parse" and isinstance(one.result, dict):
            files = one.result.get("files", [])
            lines = sorted(f"{file['name']} {file['sha256']}" for file in files)
            return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return ""
