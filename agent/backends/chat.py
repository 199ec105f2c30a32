"""What the OpenAI-compatible backends share: a request to /chat/completions and its stream.

The client is huggingface_hub's, which speaks to any base URL. It retries nothing and answers a
stream that ends early like a whole one: a turn counts only when its finish reason arrived. Calls
that a server passes through as text are read by `agent.tool_text`. A server that refuses `tools`
is asked from then on in the text protocol: `agent.backends.text_protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agent.backends import Desk, Message, StopReason, ToolCall, ToolFace, Turn, Usage
from agent.backends.arguments import clean, read_arguments, with_own_ids
from agent.backends.faults import BackendFault, fault_of, misread, received
from agent.backends.logprobs import Sampling
from agent.backends.model import ModelBackend, tokens_for
from agent.backends.schemas import chat_tools, strict_schema
from agent.backends.text_protocol import native_history, system_with_tools, text_history
from agent.settings import ModelSettings
from agent.tool_text import read_tool_text
from audit.records.base import Json
from audit.records.events import LogData
from audit.records.sampled import Sampled

STOPS: dict[str, StopReason] = {
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "stop": "end_turn",
    "eos_token": "end_turn",
    "stop_sequence": "end_turn",
    "length": "length",
    "content_filter": "refusal",
}
_TEXT_ONLY: set[tuple[str, str]] = set()
"""(url, model) whose server refused `tools`: asked in the text protocol from then on."""
_NO_LOGPROBS: set[tuple[str, str]] = set()
"""(url, model) whose server refused `logprobs`: not asked for them again."""


class Server(NamedTuple):
    """Where to ask, for which model, on whose account."""

    url: str
    model: str
    key: str
    bill_to: str | None = None


class ChatBackend(ModelBackend):
    """Answers with the turns of a model behind an OpenAI-compatible server."""

    package = "huggingface_hub"

    def __init__(self, models: ModelSettings, desk: Desk) -> None:
        super().__init__(models, desk)
        self._server = self.server()
        self._streams = True
        """The server has not yet answered a stream with nothing: some ignore `stream`."""

    def server(self) -> Server:
        """Where this backend asks."""
        raise NotImplementedError

    @property
    def text_only(self) -> bool:
        """Whether the text protocol is spoken with this model."""
        return (self._server.url, self._server.model) in _TEXT_ONLY

    async def ask(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The next turn; without tools or log-probabilities where the server refuses them."""

        async def attempt() -> Turn:
            return await self._attempt(messages, tools)

        while True:
            try:
                return await self.patience.ask(attempt)
            except BackendFault as fault:
                if not self._gives_way(fault):
                    raise

    def _gives_way(self, fault: BackendFault) -> bool:
        """Whether the next request leaves out what this one was refused for: each only once."""
        here = (self._server.url, self._server.model)
        if fault.kind == "logprobs" and self._wants_logprobs:
            _NO_LOGPROBS.add(here)
            return True
        if fault.kind == "tools" and not self.text_only:
            _TEXT_ONLY.add(here)
            return True
        return False

    @property
    def _wants_logprobs(self) -> bool:
        here = (self._server.url, self._server.model)
        return self.models.logprobs and here not in _NO_LOGPROBS

    async def shut(self) -> None:
        """Nothing stays open between turns."""

    def _request(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._server.model,
            "max_tokens": tokens_for(messages),
        }
        if self._wants_logprobs:
            request["logprobs"] = True
        if self.text_only:
            system = system_with_tools(self.desk.system, tools)
            request["messages"] = text_history(system, messages)
        else:
            request["messages"] = native_history(self.desk.system, messages)
            if tools:  # an empty list is refused by some servers
                request["tools"] = chat_tools(tools)
        return request

    async def _attempt(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """One request on a connection of its own, closed with it."""
        from huggingface_hub import AsyncInferenceClient

        client = AsyncInferenceClient(
            base_url=self._server.url,
            api_key=self._server.key,
            bill_to=self._server.bill_to,
            timeout=self.silent_seconds,
        )
        reading = _Reading(self._server.model)
        try:
            request = self._request(messages, tools)
            self.show("request", request)
            if self._streams:
                await self._stream(client, request, reading)
            else:
                await self._whole(client, request, reading)
        finally:
            await client.exit_stack.aclose()
        self.show("answer", [reading.text, reading.reasoning, reading.pieces, reading.stop])
        usage = reading.usage(self.used)
        if not reading.stop:
            began = reading.seen
            self._streams = self._streams and began
            detail = "no finish reason arrived"
            raise BackendFault(kind="broken", detail=detail, usage=usage, began=began)
        self._tell_sampled(reading.sampling.kept())
        return _turn(reading, messages, tools, usage)

    def _tell_sampled(self, sampled: Sampled | None) -> None:
        if sampled is not None:
            count = len(sampled.lengths)
            text = f"The server told the log-probabilities of {count} tokens; they are kept."
            self.desk.record(LogData(text=text, sampled=sampled))

    async def _stream(self, client: Any, request: dict[str, Any], reading: _Reading) -> None:
        try:
            stream = await client.chat_completion(
                **request, stream=True, stream_options={"include_usage": True}
            )
        except Exception as error:
            raise fault_of(error) from error

        def usage() -> Usage | None:
            return reading.usage(self.used)

        async with aclosing(received(stream, usage)) as chunks:
            async for chunk in chunks:
                with misread(usage):
                    reading.take(chunk)

    async def _whole(self, client: Any, request: dict[str, Any], reading: _Reading) -> None:
        try:
            answer = await client.chat_completion(**request)
        except Exception as error:
            raise fault_of(error) from error
        with misread(lambda: reading.usage(self.used)):
            reading.take(answer)


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)


class _Reading:
    """The turn as its chunks build it up; a whole answer counts as one chunk."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, _Call] = {}
        self.stop = ""
        self.seen = False
        self.sampling = Sampling()
        self._tokens: tuple[int, int] | None = None

    def take(self, chunk: dict[str, Any]) -> None:
        """One chunk; anything that is missing or null is passed over."""
        used = chunk.get("usage")
        if isinstance(used, dict):
            self._tokens = (_count(used, "prompt_tokens"), _count(used, "completion_tokens"))
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return
        choice = choices[0]
        self.seen = True
        self.sampling.take(choice.get("logprobs"))
        delta = choice.get("delta") or choice.get("message") or {}
        self.text.append(_words(delta, "content"))
        self.reasoning.append(_words(delta, "reasoning_content") or _words(delta, "reasoning"))
        for call in delta.get("tool_calls") or ():
            if isinstance(call, dict):
                self._add(call)
        self.stop = choice.get("finish_reason") or self.stop

    @property
    def pieces(self) -> list[tuple[str, str]]:
        """Name and raw arguments of every call so far."""
        return [(call.name, "".join(call.pieces)) for _, call in sorted(self.calls.items())]

    def usage(self, priced: Callable[[str, int, int], Usage]) -> Usage | None:
        """What the answer cost; None where the server does not say."""
        return priced(self.model, *self._tokens) if self._tokens else None

    def _add(self, piece: dict[str, Any]) -> None:
        """One piece of a call; without an index it belongs to the last one, or begins a new one."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        index = piece.get("index")
        if not isinstance(index, int):
            last = max(self.calls, default=-1)
            begins = bool(function.get("name")) and piece.get("id") != self._id_of(last)
            index = last + 1 if begins or last < 0 else last
        call = self.calls.setdefault(index, _Call())
        call.id = call.id or str(piece.get("id") or "")
        name = str(function.get("name") or "")
        if name != call.name:  # some servers repeat the name, some send it in pieces
            call.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.pieces.append(arguments)
        elif arguments is not None:
            import json

            call.pieces.append(json.dumps(arguments))

    def _id_of(self, index: int) -> str | None:
        return self.calls[index].id if index in self.calls else None


def _turn(
    reading: _Reading, messages: Sequence[Message], tools: Sequence[ToolFace], usage: Usage | None
) -> Turn:
    stop = STOPS.get(reading.stop, "unknown")
    text, reasoning = clean("".join(reading.text)), clean("".join(reading.reasoning))
    calls: list[ToolCall] = []
    cut = False
    for _, call in sorted(reading.calls.items()):
        given = read_arguments("".join(call.pieces))
        cut = cut or given.cut
        calls.append(ToolCall(clean(call.id), clean(call.name), given.given, given.fault))
    schemas: dict[str, Json] = {tool.name: strict_schema(tool) for tool in tools}
    written = read_tool_text(text, schemas, reasoning=reasoning, ended=stop != "length")
    if not calls and stop in ("tool_use", "end_turn"):
        for found in written.calls:
            given = read_arguments(found.arguments)
            calls.append(ToolCall("", found.name, given.given, given.fault))
    text = written.text or ("" if calls else reasoning.strip())
    used = {call.id for message in messages for call in message.tool_calls}
    number = sum(message.role == "assistant" for message in messages) + 1
    return Turn(
        text=text,
        tool_calls=with_own_ids(calls, used, number),
        # Routers say "tool_calls" of a call that the token limit cut in two.
        stop_reason="length" if cut and stop == "tool_use" else stop,
        usage=usage,
        stopped=reading.stop,
    )


def _count(used: dict[str, Any], name: str) -> int:
    found = used.get(name)
    return found if isinstance(found, int) else 0


def _words(delta: dict[str, Any], name: str) -> str:
    found = delta.get(name)
    return found if isinstance(found, str) else ""
