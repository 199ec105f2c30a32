"""What goes wrong between us and a model server, told apart by typed errors, never by luck.

One table for both client libraries, so that the patience in `agent.backends.patience` and the words
that the reader gets are the same for every backend.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

from agent.backends import Usage
from audit.records.errors import GoblinError

Item = TypeVar("Item")
FaultKind = Literal[
    "rate", "overloaded", "server", "broken", "stalled", "unreachable",
    "auth", "credits", "model", "context", "thinking", "signature", "logprobs", "tools",
    "request", "time",
]  # fmt: skip
RETRIED: frozenset[FaultKind] = frozenset(
    {"rate", "overloaded", "server", "broken", "stalled", "unreachable"}
)
_SAYS: dict[FaultKind, str] = {
    "rate": "the model's server asks for fewer requests",
    "overloaded": "the model's server is overloaded",
    "server": "the model's server failed",
    "broken": "the model's answer broke off",
    "stalled": "the model's server stopped answering",
    "unreachable": "the model's server cannot be reached",
    "auth": "the model's server refuses the key",
    "credits": "the account of the key has no credit left",
    "model": "the model's server does not know the model",
    "context": "the conversation is too long for the model",
    "thinking": "the model's server refuses the thinking or effort setting",
    "signature": "the model's server refuses its own earlier thinking",
    "logprobs": "the model's server gives no log-probabilities",
    "tools": "the model's server refuses tools",
    "request": "the model's server refuses the request",
    "time": "the time for the model is used up",
}
_OF_TYPE: dict[str, FaultKind] = {
    "rate_limit_error": "rate",
    "overloaded_error": "overloaded",
    "api_error": "server",
    "timeout_error": "stalled",
    "authentication_error": "auth",
    "permission_error": "auth",
    "billing_error": "credits",
    "not_found_error": "model",
    "request_too_large": "context",
}
"""Anthropic's `error.type`; it also comes inside a stream, where the status is 200."""
_OF_STATUS: dict[int, FaultKind] = {
    401: "auth", 402: "credits", 403: "auth", 404: "model", 408: "stalled", 409: "server",
    413: "context", 429: "rate", 504: "stalled", 529: "overloaded", 503: "overloaded",
}  # fmt: skip
_OF_WORDS: tuple[tuple[FaultKind, tuple[str, ...]], ...] = (
    ("context", ("prompt is too long", "context length", "context window", "maximum context")),
    ("signature", ("signature", "bound to a different conversation")),
    ("thinking", ("thinking", "effort", "output_config")),
    ("logprobs", ("logprob",)),
    ("tools", ("tool",)),
    ("credits", ("credit balance", "insufficient credit", "exceeded your monthly")),
)
"""What the words of a refused request (status 400 or 422) are about; the first that fits."""
MAX_DETAIL = 200
_MISREAD = (ValueError, TypeError, AttributeError, KeyError)
"""What both client libraries raise where a server sends JSON of another shape."""


class BackendFault(GoblinError):
    """No turn was to be had.

    Args:
        kind: what went wrong.
        detail: the server's own words, shortened and redacted here.
        retry_after: seconds that the server asks us to wait.
        usage: tokens that the failed answer cost.
        began: part of an answer had arrived.
    """

    def __init__(
        self,
        kind: FaultKind,
        detail: str = "",
        *,
        retry_after: float | None = None,
        usage: Usage | None = None,
        began: bool = False,
    ) -> None:
        from audit.log.redact import redact

        self.kind, self.retry_after, self.usage, self.began = kind, retry_after, usage, began
        words = redact(" ".join(detail.split()))[:MAX_DETAIL]
        super().__init__(f"{_SAYS[kind]}{f' ({words})' if words else ''}")


async def received(
    items: AsyncIterator[Item], usage: Callable[[], Usage | None]
) -> AsyncGenerator[Item, None]:
    """The items of a client library's stream; its errors come out as BackendFault.

    What the caller does with an item is outside of this: a bug there stays a bug.
    """
    began = False
    try:
        async for item in items:
            began = True
            yield item
    except Exception as error:
        raise fault_of(error, usage=usage(), began=began) from error


@contextmanager
def misread(usage: Callable[[], Usage | None]) -> Iterator[None]:
    """A piece of an answer that has another shape than the protocol says is a broken answer."""
    try:
        yield
    except _MISREAD as error:
        detail = "a piece of it has another shape than the protocol says"
        raise BackendFault(kind="broken", detail=detail, usage=usage(), began=True) from error


def fault_of(error: Exception, *, usage: Usage | None = None, began: bool = False) -> BackendFault:
    """The fault behind an error of a client library; an error of any other kind is raised again."""
    kind, detail = _kind_of(error)
    return BackendFault(kind, detail, retry_after=_retry_after(error), usage=usage, began=began)


def _kind_of(error: Exception) -> tuple[FaultKind, str]:
    import httpx2

    status = _status(error)
    if status is not None:
        return _refused(error, status)
    name = type(error).__name__
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return "unreachable", ""
    if isinstance(error, httpx2.TimeoutException) or name in (
        "APITimeoutError",
        "InferenceTimeoutError",
    ):
        return "stalled", ""
    if name == "APIConnectionError":
        return ("unreachable" if isinstance(error.__cause__, httpx2.ConnectError) else "broken"), ""
    if name in ("OverloadedError", "GenerationError", "IncompleteGenerationError", "UnknownError"):
        return _in_band(str(error.args[0]) if error.args else "")
    if isinstance(error, (httpx2.HTTPError, httpx2.StreamError, *_MISREAD)):
        return "broken", ""
    raise error


def _status(error: Exception) -> int | None:
    """The status of the answer behind an error, where there is one."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _refused(error: Exception, status: int) -> tuple[FaultKind, str]:
    detail = _words(error)
    kind = _OF_TYPE.get(str(getattr(error, "type", None))) or _OF_STATUS.get(status)
    if kind is not None:
        return kind, detail
    if status >= 500:
        return "server", detail
    lower = detail.lower()
    for about, marks in _OF_WORDS:
        if any(mark in lower for mark in marks):
            return about, detail
    return ("server" if status < 400 else "request"), detail


def _in_band(detail: str) -> tuple[FaultKind, str]:
    """An error that came as a chunk of the stream: only its words tell what it is."""
    lower = detail.lower()
    if "overload" in lower or "capacity" in lower:
        return "overloaded", detail
    if "rate limit" in lower or "too many requests" in lower:
        return "rate", detail
    for about, marks in _OF_WORDS[:1]:
        if any(mark in lower for mark in marks):
            return about, detail
    return "server", detail


def _words(error: Exception) -> str:
    """What the server says, without the page of HTML that some proxies send."""
    said = getattr(error, "api_message", None)
    if isinstance(said, str):
        return said
    response = getattr(error, "response", None)
    try:
        body = json.loads(response.text) if response is not None else {}
    except (ValueError, RuntimeError):  # no JSON; a stream whose body was not read
        body = {}
    found = body.get("error", body) if isinstance(body, dict) else {}
    if isinstance(found, str):
        return found
    message = found.get("message") if isinstance(found, dict) else None
    return message if isinstance(message, str) else ""


def _retry_after(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    try:
        return float(response.headers["retry-after"]) if response is not None else None
    except (KeyError, ValueError):
        return None
