"""Serves the pages and their configuration from memory, compressed; a restart alone changes them.

Gradio copies and writes 350 kB of configuration anew for every view and every health check, and
sends it as it is: 10 ms of a busy server and most of what a first visit loads. Middleware of the
app; everything else passes through. It holds nothing of a visitor: the configuration has no part
that depends on one, except for the address under which they came, which is part of the key.
"""

from __future__ import annotations

import gzip
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONFIG = "/config"
PAGES = frozenset({"/", "/history", "/compare", "/kb", CONFIG})
MOST = 24
"""Answers kept; another address in the headers is another answer, and anyone may invent one."""
ADDRESS = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")
"""The headers from which Gradio tells the app's own address."""
MOST_ADDRESS = 300
LEVEL = 6


class _Kept(NamedTuple):
    status: int
    kind: bytes
    plain: bytes
    packed: bytes


class PageMemory:
    """ASGI middleware: asks the app once for each page and address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[tuple[str, ...], _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory where that is possible."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        kept = self._kept.get(key)
        if kept is None:
            kept = await _ask(self._app, scope, receive)
            if kept.status == 200:
                if len(self._kept) >= MOST:
                    self._kept.clear()
                self._kept[key] = kept
        packs = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        body = kept.packed if packs else kept.plain
        headers = [
            (b"content-type", kept.kind),
            (b"content-length", str(len(body)).encode()),
            (b"vary", b"accept-encoding"),
            *([(b"content-encoding", b"gzip")] if packs else []),
        ]
        await send({"type": "http.response.start", "status": kept.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _key(scope: Scope) -> tuple[str, ...] | None:
    """What the answer depends on; None where it is not one of ours."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in PAGES:
        return None
    query = bytes(scope.get("query_string", b""))
    if b"deep_link" in query or (scope["path"] == CONFIG and query):
        return None
    headers = Headers(scope=scope)
    address = [headers.get(name, "") for name in ADDRESS]
    if sum(map(len, address)) > MOST_ADDRESS:
        return None
    return (scope["path"], scope.get("scheme", ""), scope.get("root_path", ""), *address)


async def _ask(app: ASGIApp, scope: Scope, receive: Receive) -> _Kept:
    """The app's own answer, whole."""
    status, kind, parts = 500, b"text/plain", []

    async def take(message: Message) -> None:
        nonlocal status, kind
        if message["type"] == "http.response.start":
            status = message["status"]
            kind = dict(message["headers"]).get(b"content-type", kind)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, take)
    plain = b"".join(parts)
    return _Kept(status, kind, plain, gzip.compress(plain, LEVEL))
