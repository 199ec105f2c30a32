"""The backend `claude`: Anthropic's Messages API, its stream read event by event.

The stream is read raw because the library's own reading loses a whole turn to one malformed tool
argument, and gives a call with empty arguments where a stream ends early. A turn counts only when
its stop reason arrived. No temperature is sent: version 2 of the library refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from agent.backends import Desk, Message, StopReason, ToolCall, ToolFace, Turn, Usage
from agent.backends.arguments import clean, read_arguments, with_own_ids
from agent.backends.faults import BackendFault, fault_of, misread, received
from agent.backends.model import CONNECT_SECONDS, ModelBackend, need, tokens_for
from agent.backends.schemas import claude_tools
from agent.prompt import opening, shown
from agent.settings import ModelSettings
from audit.records.base import Json

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic


EFFORT = "medium"
STOPS: dict[str, StopReason] = {
    "tool_use": "tool_use",
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "max_tokens": "length",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context",
}
_PLAIN: set[tuple[str | None, str]] = set()
"""(url, model) that refused thinking or effort: asked without, for the life of the process."""


class ClaudeBackend(ModelBackend):
    """Answers with the turns of a Claude model."""

    package = "anthropic"

    def __init__(self, models: ModelSettings, desk: Desk) -> None:
        super().__init__(models, desk)
        self._client: AsyncAnthropic | None = None
        self._forgets = False
        """The server refused the thinking of earlier turns once: it is left out from then on."""

    def check(self) -> None:
        """The key; the library itself would only complain at the first request."""
        need(self.models.claude_key, "key for Claude", "ANTHROPIC_API_KEY")

    async def ask(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The next turn; a refused setting is left out once and for all."""
        while True:
            request = self._request(messages, tools)

            async def attempt(request: dict[str, Any] = request) -> Turn:
                return await self._attempt(request, messages)

            try:
                return await self.patience.ask(attempt)
            except BackendFault as fault:
                if not self._mends(fault):
                    raise

    async def shut(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    def _mends(self, fault: BackendFault) -> bool:
        """Whether the next request leaves out what this one was refused for; once for each."""
        if fault.kind == "signature" and not self._forgets:
            self._forgets = True
            return True
        place = (self.models.claude_url, self.models.claude_model)
        if fault.kind == "thinking" and place not in _PLAIN:
            _PLAIN.add(place)
            return True
        return False

    def _request(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.models.claude_model,
            "max_tokens": tokens_for(messages),
            "system": self.desk.system,
            "messages": list(_history(messages, forgets=self._forgets)),
            "cache_control": {"type": "ephemeral"},
        }
        if tools:
            request["tools"] = claude_tools(tools)
        if (self.models.claude_url, self.models.claude_model) not in _PLAIN:
            request["thinking"] = {"type": "adaptive"}
            request["output_config"] = {"effort": EFFORT}
        return request

    async def _attempt(self, request: dict[str, Any], messages: Sequence[Message]) -> Turn:
        reading = _Reading()
        self.show("request", request)

        def usage() -> Usage | None:
            return self.used(request["model"], *reading.tokens) if reading.tokens[0] else None

        try:
            stream = await self._connect().messages.create(**request, stream=True)
        except Exception as error:
            raise fault_of(error) from error
        async with stream, aclosing(received(stream, usage)) as events:
            async for event in events:
                with misread(usage):
                    reading.take(event)
        self.show("answer", [reading.blocks, reading.pieces, reading.stop])
        if not reading.stop:
            detail = "no stop reason arrived"
            raise BackendFault(
                kind="broken", detail=detail, usage=usage(), began=bool(reading.blocks)
            )
        return _turn(reading, messages, usage())

    def _connect(self) -> AsyncAnthropic:
        if self._client is None:
            import httpx2
            from anthropic import AsyncAnthropic

            self._client = AsyncAnthropic(
                api_key=self.models.claude_key,
                base_url=self.models.claude_url,
                max_retries=0,  # `agent.backends.patience` gives way to a cancel while it waits
                timeout=httpx2.Timeout(self.silent_seconds, connect=CONNECT_SECONDS),
            )
        return self._client


class _Reading:
    """The turn as its events build it up."""

    def __init__(self) -> None:
        self.blocks: dict[int, dict[str, Any]] = {}
        self.pieces: dict[int, list[str]] = {}
        self.stop = ""
        self.details = ""
        self.tokens = (0, 0)
        """Input (cached ones too) and output."""

    def take(self, event: Any) -> None:
        """One raw event of the stream; kinds that are not known are passed over."""
        kind = event.type
        if kind == "message_start":
            used = event.message.usage
            self.tokens = (_input_tokens(used), used.output_tokens or 0)
        elif kind == "content_block_start":
            self.blocks[event.index] = event.content_block.model_dump(
                exclude_none=True, mode="json"
            )
        elif kind == "content_block_delta":
            self._add(event.index, event.delta)
        elif kind == "message_delta":
            self.stop = event.delta.stop_reason or ""
            details = getattr(event.delta, "stop_details", None)
            self.details = getattr(details, "category", None) or ""
            if event.usage is not None:
                self.tokens = (self.tokens[0], event.usage.output_tokens or self.tokens[1])

    def _add(self, index: int, delta: Any) -> None:
        block = self.blocks.setdefault(index, {"type": "text", "text": ""})
        if delta.type == "input_json_delta":
            self.pieces.setdefault(index, []).append(delta.partial_json)
            return
        for name in ("text", "thinking", "signature"):
            if delta.type == f"{name}_delta":
                block[name] = block.get(name, "") + getattr(delta, name)


def _input_tokens(used: Any) -> int:
    parts = (used.input_tokens, used.cache_creation_input_tokens, used.cache_read_input_tokens)
    return sum(part or 0 for part in parts)


def _turn(reading: _Reading, messages: Sequence[Message], usage: Usage | None) -> Turn:
    calls: list[ToolCall] = []
    for block in reading.blocks.values():
        for name in ("text", "thinking"):
            if name in block:
                block[name] = clean(block[name])
    blocks = [block for _, block in sorted(reading.blocks.items())]
    for index, block in sorted(reading.blocks.items()):
        if block["type"] != "tool_use":
            continue
        raw = "".join(reading.pieces.get(index, ()))
        given = read_arguments(raw if raw.strip() else block.get("input") or {})
        calls.append(ToolCall(block["id"], block["name"], given.given, given.fault))
    used = {call.id for message in messages for call in message.tool_calls}
    turns = sum(message.role == "assistant" for message in messages)
    named = with_own_ids(calls, used, turns + 1)
    for block, call in zip(
        (block for block in blocks if block["type"] == "tool_use"), named, strict=True
    ):
        block.update(id=call.id, input=call.arguments)
    return Turn(
        text="".join(block["text"] for block in blocks if block["type"] == "text").strip(),
        tool_calls=named,
        stop_reason=STOPS.get(reading.stop, "unknown"),
        usage=usage,
        replay=[block for block in blocks if block.get("text") != ""],
        stopped=reading.details or reading.stop,
    )


def _history(messages: Sequence[Message], *, forgets: bool) -> Iterator[dict[str, Json]]:
    """The conversation as Anthropic wants it; the thinking of earlier turns as it came."""
    for message in messages:
        if message.role == "user":
            yield {"role": "user", "content": opening(message)}
        elif message.role == "assistant":
            yield {"role": "assistant", "content": _assistant(message, forgets=forgets)}
        else:
            results: list[Json] = [
                {
                    "type": "tool_result",
                    "tool_use_id": result.call_id,
                    "content": shown(result),
                    "is_error": not result.ok,
                }
                for result in message.results
            ]
            hint = [{"type": "text", "text": message.text}] if message.text else []
            yield {"role": "user", "content": results + hint}


def _assistant(message: Message, *, forgets: bool) -> list[Json]:
    blocks: list[Json] = message.replay or [
        *([{"type": "text", "text": message.text}] if message.text else []),
        *(
            {"type": "tool_use", "id": call.id, "name": call.tool, "input": call.arguments}
            for call in message.tool_calls
        ),
    ]
    if forgets:
        blocks = [block for block in blocks if "thinking" not in block["type"]]
    # An answer without anything in it may not be sent back.
    return blocks or [{"type": "text", "text": "(no answer)"}]
