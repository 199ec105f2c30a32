"""What a backend is: it reads the messages of an audit and answers with the next turn.

A backend decides the next step and nothing else: it names tools and ids, never figures. To add one,
write a module here and name its class in `agent.named.BACKENDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from audit.records.base import Json, Record
from audit.records.events import UsageKind

StopReason = Literal["tool_use", "end_turn", "length", "pause", "refusal", "context", "unknown"]
"""tool_use: run the calls and come back. end_turn: the backend says that it is done. With any other
reason no call is run. length: the answer was cut off. pause: ask again, unchanged. refusal, context
(the history is too long for the model) and unknown: see `Turn.text` and `agent.guards`. An answer
whose stop reason never arrived is no turn at all: the backend raises instead."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The backend asks for a tool; arguments are ids and words."""

    id: str
    tool: str
    arguments: dict[str, Json] = field(default_factory=dict)
    fault: str = ""
    """Why the arguments cannot be used, where they cannot; they are {} then."""


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
    replay: Json = None
    """What only the backend that made the turn understands (thinking with its signature)."""
    stopped: str = ""
    """Details of the stop reason, such as the category of a refusal."""


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
    """One entry of the history: the task, a turn of the backend, or the results of its calls.

    The text beside results is a hint of the loop.
    """

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    replay: Json = None
    """`Turn.replay` of an assistant's entry."""


class ToolFace(Protocol):
    """What a backend must know of a tool; `agent.tools` and `agent.research` have them."""

    @property
    def name(self) -> str:
        """As the model calls it."""
        ...

    @property
    def description(self) -> str:
        """One line for the model."""
        ...

    def schema(self) -> dict[str, Json]:
        """JSON schema of the arguments."""
        ...


class Backend(Protocol):
    """Answers with the next turn; everything that it must know is in the messages."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The next turn; raises BackendFault where none is to be had."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the loop gives a model backend, once per audit."""

    system: str
    """The system prompt; the same bytes in every request."""
    record: Callable[[Record], object]
    """Writes one event into the log."""
    cancelled: Callable[[], bool]
    seconds_left: Callable[[], float]
    """Wall time that the budget still allows."""
    kind: UsageKind = "loop"
    """What its answers are counted as."""
