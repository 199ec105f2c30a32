"""Hostile pages are contained: nothing private is reached, nothing endless is waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agent.research.fetch import MAX_BYTES, Fetcher, Host, Refused, _is_public, public_hosts

SECRET = "hf_" + "Ab3De5Gh7" * 4


class Pages(BaseHTTPRequestHandler):
    """A small site with bad manners."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
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
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Any]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Pages) for _ in range(2)]
    for server in servers:
        server.daemon_threads = True
        server.seen = []  # type: ignore[attr-defined]
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
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "0.0.0.0"],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not _is_public(address)


def test_addresses_outside_are_public() -> None:
    assert _is_public("8.8.8.8")
    assert _is_public("2606:4700::1111")


def test_github_never_gets_a_token() -> None:
    hosts = public_hosts(SECRET)
    assert [name for name, host in hosts.items() if host.token] == [
        "huggingface.co",
        "datasets-server.huggingface.co",
    ]
