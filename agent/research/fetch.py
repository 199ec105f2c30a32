"""Fetches a page from one of the few hosts that research may read, and contains whatever comes.

Every hop is checked anew: host and path stand on the list, all its addresses are public
(`agent.research.addresses`), and the connection goes to one that was checked. A token goes to its
own host and nowhere else; no cookie is kept. What is too large, too slow, packed or no text is cut
or refused; the page itself is data, never an instruction.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from agent.research.addresses import is_public

MAX_BYTES = 1_000_000
MAX_REDIRECTS = 3
CALL_SECONDS = 60.0
SILENT_SECONDS = 10.0
CHUNK = 16_384
SAFE = "%/:=&?~#+!$,;'@()*[]"
TEXT = frozenset(
    f"application/{name}" for name in ("json", "xml", "yaml", "x-yaml", "x-ndjson", "xhtml+xml")
)


@dataclass(frozen=True, slots=True)
class Host:
    """What holds for one host of the list."""

    token: str | None = None
    """Sent as a bearer token, to this host alone."""
    paths: tuple[str, ...] = ("/",)
    """What an address has to begin with behind the host: with a token, private pages lie near."""
    local: bool = False
    """A server on this machine, over plain HTTP: for tests and for mirrors behind a firewall."""


def public_hosts(hf_token: str | None) -> dict[str, Host]:
    """The hosts of the research tools; GitHub is read without a token."""
    return {
        "huggingface.co": Host(token=hf_token, paths=("/docs/", "/api/papers/")),
        "datasets-server.huggingface.co": Host(token=hf_token, paths=("/info",)),
        "raw.githubusercontent.com": Host(),
        "api.github.com": Host(paths=("/search/issues",)),
    }


class Page(NamedTuple):
    """The text of a page, and whether it was cut at MAX_BYTES."""

    url: str
    text: str
    cut: bool


class Refused(Exception):
    """The page cannot be had, or may not be read; the text says why."""


class Fetcher:
    """Reads pages from the hosts it was given."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        clock: Callable[[], float] = time.monotonic,
        seconds: float = CALL_SECONDS,
    ) -> None:
        """`hosts`: name, with `:port` for one that does not listen where its scheme says."""
        self._hosts, self._clock, self._seconds = dict(hosts), clock, seconds

    def get(self, url: str) -> Page:
        """The page behind a URL and its redirects.

        Raises:
            Refused: with the reason, in words that a model may read.
        """
        deadline = self._clock() + self._seconds
        for _ in range(MAX_REDIRECTS + 1):
            place, host = self._allowed(url)
            answer = self._asked(place, host, deadline)
            if isinstance(answer, Page):
                return answer
            try:
                url = urljoin(url, answer)
            except ValueError as error:
                message = "it is redirected to what is no address"
                raise Refused(message) from error
        message = f"it is redirected more than {MAX_REDIRECTS} times"
        raise Refused(message)

    def _allowed(self, url: str) -> tuple[SplitResult, Host]:
        try:
            place = urlsplit(url)
            port = place.port
        except ValueError as error:
            message = "that is no address"
            raise Refused(message) from error
        name = (place.hostname or "").lower()
        host = self._hosts.get(f"{name}:{port}" if port else name)
        if host is None:
            message = f"{name or 'that'} is not among {', '.join(sorted(self._hosts))}"
            raise Refused(message)
        if place.scheme != ("http" if host.local else "https") or "@" in place.netloc:
            message = "only plain https addresses are read"
            raise Refused(message)
        if _climbs(place.path) or not (place.path or "/").startswith(host.paths):
            message = f"only {', '.join(host.paths)} of {name} is read"
            raise Refused(message)
        return place, host

    def _asked(self, place: SplitResult, host: Host, deadline: float) -> Page | str:
        """The page, or where it is redirected to."""
        connection = _connection(place, host)
        over = threading.Event()
        try:
            connection.connect()
            with _ended(connection.sock, max(0.0, deadline - self._clock()), over):
                return self._answer(connection, place, host, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if over.is_set():
                raise self._late() from error
            message = f"{place.hostname} does not answer ({type(error).__name__})"
            raise Refused(message) from error
        finally:
            connection.close()

    def _answer(
        self,
        connection: http.client.HTTPConnection,
        place: SplitResult,
        host: Host,
        deadline: float,
    ) -> Page | str:
        connection.request("GET", _target(place), headers=_headers(host))
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308):
            return answer.headers.get("Location", "")
        if answer.status != 200:
            message = f"{place.hostname} answers {answer.status}"
            raise Refused(message)
        _check_kind(answer)
        data, cut = self._read(answer, deadline)
        if b"\0" in data:
            message = "it is no text (it holds zero bytes)"
            raise Refused(message)
        return Page(place.geturl(), data.decode("utf-8", "replace"), cut)

    def _late(self) -> Refused:
        return Refused(f"it takes longer than {self._seconds:g} seconds")

    def _read(self, answer: http.client.HTTPResponse, deadline: float) -> tuple[bytes, bool]:
        """At most MAX_BYTES, within the time of the call."""
        data = bytearray()
        while len(data) <= MAX_BYTES:
            piece = answer.read1(CHUNK)
            if self._clock() > deadline:
                raise self._late()
            if not piece:
                return bytes(data), False
            data += piece
        return bytes(data[:MAX_BYTES]), True


def _connection(place: SplitResult, host: Host) -> http.client.HTTPConnection:
    """A connection to an address that was checked; the name is resolved once, not twice."""
    name = place.hostname or ""
    port = place.port or (80 if host.local else 443)
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        message = f"{name} cannot be found"
        raise Refused(message) from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not host.local and not all(map(is_public, addresses)):
        message = f"{name} leads to a private address"
        raise Refused(message)
    connection = (
        http.client.HTTPConnection(name, port, timeout=SILENT_SECONDS)
        if host.local
        else http.client.HTTPSConnection(
            name, port, timeout=SILENT_SECONDS, context=ssl.create_default_context()
        )
    )
    connection._create_connection = (  # type: ignore[attr-defined]
        lambda _, *given, **named: _connected(addresses, port, *given, **named)
    )
    return connection


def _connected(addresses: Sequence[str], port: int, *given: Any, **named: Any) -> socket.socket:
    """A socket to the first of the checked addresses that answers."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), *given, **named)
    return socket.create_connection((addresses[-1], port), *given, **named)


@contextlib.contextmanager
def _ended(open_socket: socket.socket, seconds: float, over: threading.Event) -> Iterator[None]:
    """Shut the connection after `seconds`: a server may drip headers or say 100 for ever."""

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _climbs(path: str) -> bool:
    """Whether a path leaves the folder that it begins with, also when a server decodes it twice."""
    said = unquote(unquote(path)).replace("\\", "/")
    return bool({".", ".."} & set(said.split("/")))


def _check_kind(answer: http.client.HTTPResponse) -> None:
    """Raise Refused for what is no text, or packed: we ask for neither, and unpack nothing."""
    kind = answer.headers.get("Content-Type", "text/plain").lower().partition(";")[0].strip()
    if not kind.startswith("text/") and kind not in TEXT and not kind.endswith("+json"):
        message = f"it is no text ({kind[:60]})"
        raise Refused(message)
    packed = answer.headers.get("Content-Encoding", "identity").lower().strip()
    if packed not in ("", "identity"):
        message = f"it is packed ({packed[:20]})"
        raise Refused(message)


def _target(place: SplitResult) -> str:
    """Path and query as a request line takes them: a redirect may hold any character."""
    path, query = (quote(one, safe=SAFE) for one in (place.path or "/", place.query))
    return f"{path}?{query}" if query else path


def _headers(host: Host) -> dict[str, str]:
    headers = {"User-Agent": "gpu-goblin", "Accept-Encoding": "identity", "Accept": "*/*"}
    if host.token:
        headers["Authorization"] = f"Bearer {host.token}"
    return headers
