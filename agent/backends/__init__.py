"""What a backend is: it reads the messages of an audit and answers with the next turn.

A backend decides the next step and nothing else: it names tools and ids, never figures. To add one,
write a module here and name its class in `agent.named.BACKENDS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from audit.records.base import Json

if TYPE_CHECKING:
    from agent.tools import Tool

StopReason = Literal["tool_use", "end_turn"]
"""tool_use: run the calls and come back. end_turn: the backend is done. Anything else that a server
may answer is the backend's own business: it returns one of these two."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The backend asks for a tool; arguments are ids and words."""

    id: str
    tool: str
    arguments: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one turn used."""

    model: str
    input_tokens: int
    output_tokens: int
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of a backend."""

    text: str = ""
    """What it will do and why."""
    tool_calls: tuple[ToolCall, ...] = ()
    stop_reason: StopReason = "end_turn"
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered to one call."""

    call_id: str
    tool: str
    ok: bool
    text: str
    ids: tuple[str, ...] = ()
    """Ids that the call made: wl_1; f_1, f_2; patch_1, wl_2; bench_1."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the history: the task, a turn of the backend, or the results of its calls."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()


class Backend(Protocol):
    """Answers with the next turn; everything that it must know is in the messages."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Turn:
        """The next turn; raises SetupError where it cannot answer at all."""
        ...
