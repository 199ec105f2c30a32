"""Refuses a request that is too large before it is parsed, with a plain message.

Middleware of the app, for everything but uploads of the page's drop zone, which Gradio limits file
by file. A tool's arguments come as one JSON text, which would be read whole on the event loop.
"""

from __future__ import annotations

import json

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_MB = 32
"""A data sample of 20 MB, with what JSON adds to its quotation marks, beside a training file."""
DRAINED = 4
"""Limits: a caller cut off while it sends never sees why, so that much is read and dropped."""
UPLOAD = "/gradio_api/upload"
REFUSED = {
    "error": f"the request is larger than {MOST_MB} MB. Give the training file and what belongs to "
    "it: 1 MB each, a notebook 5 MB, a sample of the data 20 MB."
}


class BodyLimit:
    """ASGI middleware: reads the body itself, and passes it on where it is small enough."""

    def __init__(self, app: ASGIApp, most: int = MOST_MB * 1_000_000) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 413."""
        if _has_no_limit(scope):
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []
        refused = _stated(scope) > self._most
        if refused and "expect" in Headers(scope=scope):  # asks before it sends
            await _refuse(send)
            return
        size, more = 0, True
        while more and size <= self._most * DRAINED:
            message = await receive()
            if message["type"] != "http.request":
                return  # the caller has left
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            refused = refused or size > self._most
            if refused:
                parts.clear()
            else:
                parts.append(chunk)
        if refused:
            await _refuse(send)
        else:
            await self._app(scope, _given(b"".join(parts), receive), send)


def _has_no_limit(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return True
    return str(scope["path"]).rstrip("/") == UPLOAD


def _given(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever the caller does next."""
    whole: list[Message] = [{"type": "http.request", "body": body}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again


def _stated(scope: Scope) -> int:
    """The length that the request states; 0 where it states none."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() else 0


async def _refuse(send: Send) -> None:
    body = json.dumps(REFUSED).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
