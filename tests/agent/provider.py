"""A model server on loopback that plays both streaming protocols by script, faults included.

`POST /v1/messages` speaks Anthropic's protocol, `POST /v1/chat/completions` the OpenAI-compatible
one. Every request takes the next `Answer` of the script; what was sent is kept in `requests`.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT_STOPS = {"tool_use": "tool_calls", "end_turn": "stop", "max_tokens": "length"}


@dataclass(frozen=True)
class Call:
    name: str
    arguments: Any
    """JSON, or the raw text where it is a str."""
    id: str = ""

    @property
    def raw(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Answer:
    text: str = ""
    calls: tuple[Call, ...] = ()
    stop: str | None = None
    """In Anthropic's words; None: tool_use with calls, else end_turn."""
    thinking: str = ""
    status: int = 200
    error: tuple[str, str] = ("", "")
    """Type and message of a refused request, or of an error inside the stream (`cut`)."""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    """A raw body instead, of the content type `kind`."""
    kind: str = "application/json"
    cut: str = ""
    """How the stream ends before its stop reason: close, abort, stall, error, or stop (all but)."""
    usage: tuple[int, int] | None = (1000, 50)
    category: str = ""
    style: str = ""
    """Variants of the chat stream: whole, no_index, crlf, no_done, json, reasoning, null_usage,
    logprobs (of the content's tokens, where they are asked for)."""
    delay: float = 0.0


class Provider:
    """The server; `url` is its root."""

    def __init__(self, script: Sequence[Answer]) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.faults: list[str] = []
        provider = self

        class Handler(_Handler):
            pass

        Handler.provider = provider
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self, request: dict[str, Any]) -> Answer:
        """What is answered to a request: the next of the script, whatever was asked."""
        return self.script.pop(0) if self.script else Answer(text="The script has ended.")


@contextmanager
def provider(*script: Answer) -> Iterator[Provider]:
    server = Provider(script)
    try:
        yield server
        assert not server.faults, server.faults
    finally:
        server.close()


class _Handler(BaseHTTPRequestHandler):
    provider: Provider
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        server = self.provider
        body = self.rfile.read(int(self.headers["content-length"]))
        request = json.loads(body)
        claude = self.path.split("?")[0] == "/v1/messages"
        server.requests.append(request)
        server.bodies.append(body)
        server.headers.append({name.lower(): value for name, value in self.headers.items()})
        server.faults += (check_claude if claude else check_chat)(request)
        answer = server.next(request)
        server.stopped.wait(answer.delay)
        try:
            if answer.status != 200 or answer.body is not None:
                self._plain(answer, claude=claude)
            elif answer.style == "logprobs" and request.get("logprobs") is not True:
                self._stream(replace(answer, style=""), claude=claude)
            elif answer.style == "json" or not request.get("stream"):
                self._send(200, json.dumps(chat_whole(answer)), "application/json")
            else:
                self._stream(answer, claude=claude)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _plain(self, answer: Answer, *, claude: bool) -> None:
        kind, message = answer.error
        error: dict[str, Any] = {"type": kind, "message": message}
        body = {"type": "error", "error": error} if claude else {"error": error}
        text = answer.body if answer.body is not None else json.dumps(body)
        self._send(answer.status, text, answer.kind, answer.headers)

    def _send(
        self, status: int, text: str, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, answer: Answer, *, claude: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for piece in claude_stream(answer) if claude else chat_stream(answer):
            text = piece.replace("\n", "\r\n") if answer.style == "crlf" else piece
            self.wfile.write(text.encode())
            self.wfile.flush()
        if answer.cut == "stall":
            self.provider.stopped.wait(30)
        if answer.cut == "abort":
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def _event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def claude_stream(answer: Answer) -> Iterator[str]:
    """Anthropic's events; `cut` leaves out the end."""
    tokens = answer.usage or (0, 0)
    usage = {"input_tokens": tokens[0] // 4, "cache_read_input_tokens": tokens[0] - tokens[0] // 4}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    yield _event("message_start", message=message)
    yield _event("ping")
    index = 0
    if answer.thinking:
        block: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
        yield _event("content_block_start", index=index, content_block=block)
        for kind, text in (("thinking", answer.thinking), ("signature", "signed")):
            delta = {"type": f"{kind}_delta", kind: text}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
        index += 1
    if answer.text:
        block = {"type": "text", "text": ""}
        yield _event("content_block_start", index=index, content_block=block)
        for piece in (answer.text[:3], answer.text[3:]):
            delta = {"type": "text_delta", "text": piece}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
        index += 1
    for number, call in enumerate(answer.calls):
        name = call.id or f"toolu_{time.monotonic_ns()}_{number}"
        block = {"type": "tool_use", "id": name, "name": call.name, "input": {}}
        yield _event("content_block_start", index=index, content_block=block)
        middle = len(call.raw) // 2
        for piece in ("", call.raw[:middle], call.raw[middle:]):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
        index += 1
    if answer.cut == "error":
        kind, text = answer.error
        yield _event("error", error={"type": kind, "message": text})
    if answer.cut:
        return
    delta = {
        "stop_reason": answer.stop or ("tool_use" if answer.calls else "end_turn"),
        "stop_sequence": None,
    }
    if answer.category:
        delta["stop_details"] = {"type": "refusal", "category": answer.category}
    yield _event("message_delta", delta=delta, usage={"output_tokens": tokens[1]})
    yield _event("message_stop")


def _chunk(
    delta: dict[str, Any], finish: str | None = None, logprobs: Any = None, **more: Any
) -> str:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test",
        "system_fingerprint": "fp",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}],
        **more,
    }
    return f"data: {json.dumps(body)}\n\n"


def chat_stream(answer: Answer) -> Iterator[str]:
    """OpenAI's chunks; `cut` leaves out the end."""
    yield ": keep-alive\n\n"
    yield _chunk({"role": "assistant", "content": None if answer.calls else ""})
    if answer.thinking:
        yield _chunk({"reasoning_content": answer.thinking[:4]})
        yield _chunk({"reasoning": answer.thinking[4:]})
    name = "reasoning" if answer.style == "reasoning" else "content"
    yield from _chat_text(answer, name)
    for number, call in enumerate(answer.calls):
        yield from _chat_call(answer, number, call)
    if answer.cut == "error":
        kind, text = answer.error
        yield f"data: {json.dumps({'error': text or kind})}\n\n"
    if answer.cut:
        return
    stop = answer.stop or ("tool_use" if answer.calls else "end_turn")
    yield _chunk({}, CHAT_STOPS.get(stop, stop))
    if answer.usage:
        yield _chunk({}, usage=_chat_usage(answer.usage)).replace('"choices": [{', '"choices": [{')
    if answer.style == "null_usage":
        yield f"data: {json.dumps({'choices': [], 'usage': None})}\n\n"
    if answer.style != "no_done":
        yield "data: [DONE]\n\n"


TOKENS = re.compile(r"\s?\w+|\s+|.", re.DOTALL)
"""What the scripted server calls a token."""


def logprob_of(place: int) -> float:
    """What the scripted server says of its token at that place."""
    return -0.25 * (1 + place % 7)


def _chat_text(answer: Answer, name: str) -> Iterator[str]:
    if answer.style != "logprobs":
        yield from (_chunk({name: piece}) for piece in (answer.text[:3], answer.text[3:]) if piece)
        return
    for place, token in enumerate(TOKENS.findall(answer.text)):
        told = {"token": token, "logprob": logprob_of(place), "bytes": list(token.encode())}
        yield _chunk({"content": token}, logprobs={"content": [told]})


def _chat_call(answer: Answer, number: int, call: Call) -> Iterator[str]:
    name = call.id or f"call_{time.monotonic_ns()}_{number}"
    index = {} if answer.style == "no_index" else {"index": number}
    function = {"name": call.name, "arguments": call.raw if answer.style == "whole" else ""}
    yield _chunk({"tool_calls": [{**index, "id": name, "type": "function", "function": function}]})
    if answer.style == "whole":
        return
    middle = len(call.raw) // 2
    for piece in (call.raw[:middle], call.raw[middle:]):
        yield _chunk({"tool_calls": [{**index, "function": {"arguments": piece}}]})


def chat_whole(answer: Answer) -> dict[str, Any]:
    """The answer of a server that does not stream."""
    stop = answer.stop or ("tool_use" if answer.calls else "end_turn")
    calls = [
        {
            "id": call.id or f"call_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.raw},
        }
        for number, call in enumerate(answer.calls)
    ]
    message = {"role": "assistant", "content": answer.text, "tool_calls": calls or None}
    choice = {"index": 0, "message": message, "finish_reason": CHAT_STOPS.get(stop, stop)}
    return {
        "id": "1",
        "created": 1,
        "model": "test",
        "system_fingerprint": "",
        "choices": [choice],
        "usage": _chat_usage(answer.usage) if answer.usage else None,
    }


def _chat_usage(tokens: tuple[int, int]) -> dict[str, int]:
    return {
        "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1],
        "total_tokens": sum(tokens),
    }


def check_claude(request: dict[str, Any]) -> Iterator[str]:
    """What Anthropic's server would refuse."""
    if {"temperature", "top_p", "top_k"} & set(request):
        yield "temperature was sent"
    if not all(tool.get("strict") for tool in request.get("tools", ())):
        yield "a tool is not strict"
    open_ids: list[str] = []
    for message in request["messages"]:
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        if not blocks:
            yield "an empty message"
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if open_ids and sorted(answered) != sorted(open_ids):
            yield f"calls {open_ids} are answered by {answered}"
        used = [block for block in blocks if block["type"] == "tool_use"]
        open_ids = [block["id"] for block in used]
        if not all(isinstance(block["input"], dict) for block in used):
            yield "input is no object"


def check_chat(request: dict[str, Any]) -> Iterator[str]:
    """What a strict OpenAI-compatible server would refuse."""
    if not all(tool["function"].get("strict") for tool in request.get("tools", ())):
        yield "a tool is not strict"
    messages = request["messages"]
    if [message["role"] for message in messages].count("system") != 1:
        yield "not one system message"
    asked = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    told = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    if sorted(asked) != sorted(told) or len(set(asked)) != len(asked):
        yield f"calls {asked} are answered by {told}"
    for message in messages:
        for call in message.get("tool_calls", ()):
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                yield "arguments are no object"
