"""Pages from memory: the app is asked once per page and address, and nothing else is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.page_memory import MOST, PAGES, PageMemory

ASKED: list[str] = []


def answer(request: Request) -> Response:
    ASKED.append(str(request.url))
    status = 500 if "broken" in request.headers else 200
    return PlainTextResponse(f"{request.url} " * 50, status_code=status)


@pytest.fixture
def client() -> Iterator[TestClient]:
    ASKED.clear()
    routes = [Route(path, answer, methods=["GET", "POST"]) for path in (*PAGES, "/other")]
    with TestClient(Starlette(routes=routes, middleware=[Middleware(PageMemory)])) as asking:
        yield asking


def test_a_page_is_made_once_and_sent_packed(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["vary"] == "accept-encoding"
    assert int(first.headers["content-length"]) < len(first.content)
    plain = client.get("/?audit=abc&__theme=dark", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == first.content
    assert plain.headers["content-type"] == first.headers["content-type"]
    assert len(ASKED) == 1


def test_another_address_is_another_answer(client: TestClient) -> None:
    client.get("/config")
    for headers in (
        {"host": "other.example"},
        {"x-forwarded-host": "goblin.hf.space"},
        {"x-forwarded-host": "goblin.hf.space", "x-forwarded-proto": "https"},
    ):
        assert client.get("/config", headers=headers).status_code == 200
    assert len(ASKED) == 4
    client.get("/config", headers={"x-forwarded-host": "goblin.hf.space"})
    assert len(ASKED) == 4


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/other"),
        ("POST", "/"),
        ("GET", "/?deep_link=x"),
        ("GET", "/config?page=kb"),
    ],
)
def test_everything_else_passes_through(client: TestClient, method: str, path: str) -> None:
    for _ in range(2):
        assert client.request(method, path).status_code == 200
    assert len(ASKED) == 2


def test_faults_and_invented_addresses_are_not_kept(client: TestClient) -> None:
    for _ in range(2):
        assert client.get("/", headers={"broken": "1"}).status_code == 500
        assert client.get("/", headers={"x-forwarded-host": "h" * 400}).status_code == 200
    assert len(ASKED) == 4
    for number in range(3 * MOST):
        client.get("/", headers={"host": f"host{number}"})
    kept = client.app.middleware_stack
    while not isinstance(kept, PageMemory):
        kept = kept.app
    assert len(kept._kept) <= MOST
