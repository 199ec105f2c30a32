"""One audit as a conversation: what its backend was told, said, called and was answered.

It is made from the log (`agent.finished.trajectory`) and written by `audit.export`: chat messages,
Hermes conversations, scored groups. Redacted like everything in the log.
"""

from __future__ import annotations

from typing import Literal

from audit.records.base import Json, Record
from audit.records.sampled import Sampled

Role = Literal["system", "user", "assistant", "tool"]
Outcome = Literal["report", "error", "cancelled", "unfinished"]


class TrajectoryCall(Record):
    """A tool call of an assistant's message."""

    id: str
    name: str
    arguments: dict[str, Json]


class TrajectoryMessage(Record):
    """One message; `calls` of an assistant, `call_id` and `name` of a tool's answer."""

    role: Role
    content: str
    calls: tuple[TrajectoryCall, ...] = ()
    call_id: str | None = None
    name: str | None = None
    sampled: Sampled | None = None
    """Of an assistant, where its server told the log-probabilities."""


class Trajectory(Record):
    """The conversation of one audit with what came of it."""

    audit_id: str
    upload: str
    """Digest of the uploaded files: audits of the same bytes form a group. "" where the files
    were never read."""
    workload_name: str
    backend: str
    outcome: Outcome
    ended: str
    """How it ended, in words: the verdict's reason, the error, the cancel."""
    messages: tuple[TrajectoryMessage, ...]
    tools: tuple[dict[str, Json], ...]
    """The tools that the backend had, as {type: function, function: {...}}."""
    reward: float | None
    """In -1 to 1; None where nothing was measured. Never from a projection."""
    reward_reason: str
