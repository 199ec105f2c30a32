"""Fetches a page from one of the few hosts that research may read, and contains whatever comes.

Every hop is checked anew: the host stands on the list, its addresses are public, and the connection
goes to the very address that was checked. A token goes to its own host and nowhere else. What is
too large, too slow or no text is cut or refused; the page itself is data, never an instruction.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

MAX_BYTES = 1_000_000
MAX_REDIRECTS = 3
CALL_SECONDS = 60.0
SILENT_SECONDS = 10.0
CHUNK = 16_384
TEXT = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")


@dataclass(frozen=True, slots=True)
class Host:
    """What holds for one host of the list."""

    token: str | None = None
    """Sent as a bearer token, to this host alone."""
    local: bool = False
    """A server on this machine, over plain HTTP: for tests and for mirrors behind a firewall."""


def public_hosts(hf_token: str | None) -> dict[str, Host]:
    """The hosts of the research tools; GitHub is read without a token."""
    return {
        "huggingface.co": Host(token=hf_token),
        "datasets-server.huggingface.co": Host(token=hf_token),
        "raw.githubusercontent.com": Host(),
        "api.github.com": Host(),
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
        self, hosts: Mapping[str, Host], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`hosts`: name, with `:port` for one that does not listen where its scheme says."""
        self._hosts, self._clock = dict(hosts), clock

    def get(self, url: str) -> Page:
        """The page behind a URL and its redirects.

        Raises:
            Refused: with the reason, in words that a model may read.
        """
        deadline = self._clock() + CALL_SECONDS
        for _ in range(MAX_REDIRECTS + 1):
            place, host = self._allowed(url)
            answer = self._asked(place, host, deadline)
            if isinstance(answer, Page):
                return answer
            url = urljoin(url, answer)
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
        if place.scheme != ("http" if host.local else "https") or place.username:
            message = "only plain https addresses are read"
            raise Refused(message)
        return place, host

    def _asked(self, place: SplitResult, host: Host, deadline: float) -> Page | str:
        """The page, or where it is redirected to."""
        connection = _connection(place, host)
        try:
            connection.request("GET", _target(place), headers=_headers(host))
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                return answer.headers.get("Location", "")
            if answer.status != 200:
                message = f"{place.hostname} answers {answer.status}"
                raise Refused(message)
            kind = answer.headers.get("Content-Type", "text/plain").lower()
            if not kind.startswith(TEXT) and "json" not in kind:
                message = f"it is no text ({kind[:60]})"
                raise Refused(message)
            data, cut = self._read(answer, deadline)
            return Page(place.geturl(), data.decode("utf-8", "replace"), cut)
        except (OSError, http.client.HTTPException) as error:
            message = f"{place.hostname} does not answer ({type(error).__name__})"
            raise Refused(message) from error
        finally:
            connection.close()

    def _read(self, answer: http.client.HTTPResponse, deadline: float) -> tuple[bytes, bool]:
        """At most MAX_BYTES, within the time of the call."""
        data = bytearray()
        while len(data) <= MAX_BYTES:
            if self._clock() > deadline:
                message = f"it takes longer than {CALL_SECONDS:g} seconds"
                raise Refused(message)
            piece = answer.read1(CHUNK)
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
    address = str(found[0][4][0])
    if not host.local and not all(_is_public(str(one[4][0])) for one in found):
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
        lambda _, *given, **named: socket.create_connection((address, port), *given, **named)
    )
    return connection


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def _target(place: SplitResult) -> str:
    return (place.path or "/") + (f"?{place.query}" if place.query else "")


def _headers(host: Host) -> dict[str, str]:
    headers = {"User-Agent": "gpu-goblin", "Accept-Encoding": "identity", "Accept": "*/*"}
    if host.token:
        headers["Authorization"] = f"Bearer {host.token}"
    return headers
