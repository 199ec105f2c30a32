"""Hostile pages are contained: nothing private is reached, nothing endless is waited for."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from agent.research.addresses import is_public
from agent.research.fetch import MAX_BYTES, Fetcher, Host, Refused, public_hosts
from agent.research.tools import Dataset, DocPage, RepoFile

SECRET = "hf_" + "Ab3De5Gh7" * 4


class Pages(BaseHTTPRequestHandler):
    """A small site with bad manners."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        self.server.cookies.append(self.headers.get("Cookie"))
        getattr(self, f"_{self.path.strip('/').partition('?')[0]}", self._gone)()

    def _page(self) -> None:
        self._send(b"plain words")

    def _large(self) -> None:
        self._send(b"x" * (50 * 1024 * 1024))

    def _endless(self) -> None:
        self._head(200, {"Content-Type": "text/plain", "Connection": "close"})
        with suppress(OSError):
            while True:
                self.wfile.write(b"drip ")

    def _picture(self) -> None:
        self._send(b"\x89PNG", "image/png")

    def _round(self) -> None:
        self._head(302, {"Location": "/round", "Content-Length": "0"})

    def _inside(self) -> None:
        self._head(302, {"Location": "http://169.254.169.254/latest", "Content-Length": "0"})

    def _away(self) -> None:
        self._head(302, {"Location": f"{self.server.other}/page", "Content-Length": "0"})

    def _packed(self) -> None:
        data = gzip.compress(b"0" * 30_000_000)
        self._head(
            200,
            {
                "Content-Type": "text/html",
                "Content-Encoding": "gzip",
                "Content-Length": str(len(data)),
            },
        )
        with suppress(OSError):
            self.wfile.write(data)

    def _binary(self) -> None:
        self._send(b"MZ\x00\x01", "text/plain")

    def _almost(self) -> None:
        self._send(b"{}", "image/jsonp")

    def _headers(self) -> None:
        self._head(200, {f"X-{number}": "x" * 60_000 for number in range(200)})

    def _line(self) -> None:
        self._head(200, {"X-Long": "x" * 200_000, "Content-Length": "0"})

    def _continue(self) -> None:
        with suppress(OSError):
            while True:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _drip(self) -> None:
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.wfile.write(b"X-A: b")
                time.sleep(0.05)

    def _chunks(self) -> None:
        self._head(200, {"Content-Type": "text/plain", "Transfer-Encoding": "chunked"})
        with suppress(OSError):
            self.wfile.write(b"2\r\nhi\r\n0\r\n")
            while True:
                self.wfile.write(b"X-Trailer: 1\r\n")

    def _cookie(self) -> None:
        self._head(
            302, {"Location": "/page", "Set-Cookie": "session=1; Path=/", "Content-Length": "0"}
        )

    def _accent(self) -> None:
        self._head(302, {"Location": "/page?name=caf\xe9 au lait", "Content-Length": "0"})

    def _nowhere(self) -> None:
        self._head(302, {"Location": "https://[::1", "Content-Length": "0"})

    def _up(self) -> None:
        self._head(302, {"Location": "/docs/%2e%2e/private", "Content-Length": "0"})

    def _gone(self) -> None:
        self._head(404, {"Content-Length": "0"})

    def _send(self, data: bytes, kind: str = "text/html") -> None:
        self._head(200, {"Content-Type": kind, "Content-Length": str(len(data))})
        with suppress(OSError):
            self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        with suppress(OSError):
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Site(ThreadingHTTPServer):
    """Says nothing of clients that hang up on it: that is what they should do."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def site() -> Iterator[Any]:
    servers = [Site(("127.0.0.1", 0), Pages) for _ in range(2)]
    for server in servers:
        server.daemon_threads = True
        server.seen, server.cookies = [], []  # type: ignore[attr-defined]
        server.name = f"127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    servers[0].other = f"http://{servers[1].name}"  # type: ignore[attr-defined]
    servers[0].second = servers[1]  # type: ignore[attr-defined]
    yield servers[0]
    for server in servers:
        server.shutdown()
        server.server_close()


def fetcher(site: Any, **more: Host) -> Fetcher:
    return Fetcher({site.name: Host(token=SECRET, local=True), **more})


def test_a_page_is_read_with_the_token_of_its_host(site: Any) -> None:
    page = fetcher(site).get(f"http://{site.name}/page?a=1")
    assert (page.text, page.cut) == ("plain words", False)
    assert site.seen == [("/page?a=1", f"Bearer {SECRET}")]


def test_a_token_never_travels_to_another_host(site: Any) -> None:
    both = fetcher(site, **{site.second.name: Host(local=True)})
    assert both.get(f"http://{site.name}/away").text == "plain words"
    assert site.second.seen == [("/page", None)]


def test_fifty_megabytes_are_cut(site: Any) -> None:
    page = fetcher(site).get(f"http://{site.name}/large")
    assert page.cut
    assert len(page.text) == MAX_BYTES


def test_an_endless_stream_ends(site: Any) -> None:
    assert fetcher(site).get(f"http://{site.name}/endless").cut


def test_a_slow_stream_ends_with_the_time_of_the_call(site: Any) -> None:
    ticks = iter(range(0, 10_000, 40))
    slow = Fetcher({site.name: Host(local=True)}, clock=lambda: next(ticks))
    with pytest.raises(Refused, match="longer than 60 seconds"):
        slow.get(f"http://{site.name}/endless")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("round", "more than 3 times"),
        ("inside", "169.254.169.254 is not among"),
        ("away", "is not among"),
        ("picture", "no text"),
        ("gone", "answers 404"),
        ("packed", "it is packed .gzip"),
        ("binary", "zero bytes"),
        ("almost", "it is no text .image/jsonp"),
        ("headers", "does not answer"),
        ("line", "does not answer"),
        ("nowhere", "what is no address"),
        ("up", "only / of"),
    ],
)
def test_bad_manners_are_refused_in_words(site: Any, path: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        fetcher(site).get(f"http://{site.name}/{path}")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://huggingface.co/docs",
        "https://huggingface.co:8443/",
        "https://user:password@huggingface.co/",
        "https://huggingface.co.evil.example/",
        "https://evil.example/https://huggingface.co",
        "//huggingface.co",
        "https://[::1",
        "https://api.github.com@169.254.169.254/",
        "https://@huggingface.co/docs/a.md",
        "https://huggingface.co/ada/private/raw/main/notes.md",
        "https://huggingface.co/docs/../ada/private/raw/main/notes.md",
        "https://huggingface.co/docs/%2e%2e/ada/private",
        "https://huggingface.co/docs/%252e%252e/ada/private",
        "https://huggingface.co/docs/..%5cada/private",
        "https://huggingface.co/api/whoami-v2",
        "https://huggingface.co",
        "https://datasets-server.huggingface.co/rows?dataset=ada/private",
        "https://api.github.com/user",
        "",
    ],
)
def test_only_the_listed_hosts_are_asked(url: str) -> None:
    with pytest.raises(Refused):
        Fetcher(public_hosts(SECRET)).get(url)


def test_a_listed_name_that_leads_inside_is_refused() -> None:
    with pytest.raises(Refused, match="private address"):
        Fetcher({"localhost": Host()}).get("https://localhost/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "0.0.0.0",
        "100.64.0.1", "172.31.255.255", "224.0.0.1", "255.255.255.255", "fc00::1", "ff02::1", "::",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_outside_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("path", ["continue", "drip", "chunks"])
def test_what_drips_for_ever_ends_with_the_time_of_the_call(site: Any, path: str) -> None:
    short = Fetcher({site.name: Host(local=True)}, seconds=0.5)
    with pytest.raises(Refused, match=r"longer than 0\.5 seconds"):
        short.get(f"http://{site.name}/{path}")


def test_no_cookie_is_kept_and_a_redirect_may_hold_any_character(site: Any) -> None:
    assert fetcher(site).get(f"http://{site.name}/cookie").text == "plain words"
    assert fetcher(site).get(f"http://{site.name}/accent").text == "plain words"
    assert site.cookies == [None] * 4
    assert site.seen[-1][0].startswith("/page?name=caf%")


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that changes its address between the check and the connection changes nothing."""
    answers = iter([[(2, 1, 6, "", ("127.0.0.1", site.server_port))]])
    asked: list[str] = []

    def resolve(name: str, *_: Any, **__: Any) -> Any:
        if name == "127.0.0.1":
            return [(2, 1, 6, "", ("127.0.0.1", site.server_port))]
        asked.append(name)
        return next(answers)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    named = f"pages.test:{site.server_port}"
    page = Fetcher({named: Host(local=True)}).get(f"http://{named}/page")
    assert page.text == "plain words"
    assert asked == ["pages.test"]


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(Refused, match="private address"):
        Fetcher(public_hosts(None)).get("https://huggingface.co/docs/trl/index.md")


def test_an_address_that_does_not_answer_is_followed_by_the_next(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(2, 1, 6, "", (host, site.server_port)) for host in ("127.0.0.3", "127.0.0.1")]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, *a, **n: found if name == "pages.test" else real(name, *a, **n),
    )
    named = f"pages.test:{site.server_port}"
    connect = socket.socket.connect

    def refusing(self: socket.socket, address: Any) -> None:
        if address[0] == "127.0.0.3":
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refusing)
    assert Fetcher({named: Host(local=True)}).get(f"http://{named}/page").text == "plain words"


@pytest.mark.parametrize(
    ("record", "given"),
    [
        (DocPage, {"path": "../ada/private/raw/main/notes"}),
        (DocPage, {"path": "trl/../../ada"}),
        (Dataset, {"dataset": "../x"}),
        (RepoFile, {"repo": "../..", "path": "a"}),
    ],
)
def test_a_model_cannot_climb_out_of_what_a_tool_reads(record: Any, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        record.model_validate(given)


def test_github_never_gets_a_token() -> None:
    hosts = public_hosts(SECRET)
    assert [name for name, host in hosts.items() if host.token] == [
        "huggingface.co",
        "datasets-server.huggingface.co",
    ]
