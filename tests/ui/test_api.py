"""Page, REST, MCP and command line: the same names, the same answers, the same plain errors."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from agent.__main__ import COMMANDS
from agent.jobs import Jobs
from agent.settings import Settings
from audit.records.upload import Upload
from tests.agent.training_files import AXOLOTL, STOPS, TOKEN, WITH_TOKEN, wait_for, written
from tests.serving import ROOT, Served, serve
from ui.api import TOOLS
from ui.form import Filled, request_of

Answer = Any
FILES = {"train.yml": STOPS}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("api")) as served:
        yield served


@pytest.fixture(scope="module")
def rest(app: Served) -> Callable[..., Answer]:
    """A call through gradio_client and the real queue."""
    client = Client(app.url, verbose=False)
    return lambda tool, **given: client.predict(api_name=f"/{tool}", **given)


@pytest.fixture(scope="module")
def mcp(app: Served) -> Callable[..., Answer]:
    """A call through the MCP package's own client; an error result is raised."""

    async def ask(tool: str, given: dict[str, Any]) -> tuple[bool, Answer]:
        async with (
            streamable_http_client(f"{app.url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            if tool == "tools/list":
                return False, (await session.list_tools()).tools
            answer = await session.call_tool(tool, given)
            (content,) = answer.content
            return answer.isError, content.text if answer.isError else json.loads(content.text)

    def answered(tool: str, **given: Any) -> Answer:
        # in a thread of its own: the browser of other tests keeps an event loop in this one
        with ThreadPoolExecutor(1) as thread:
            wrong, answer = thread.submit(lambda: asyncio.run(ask(tool, given))).result()
        if wrong:
            raise ValueError(answer)
        return answer

    return answered


def command(folder: Path, *words: object, log: str = "log") -> Answer:
    """What the command line prints with --json, its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "agent", *map(str, words), "--json"],
        cwd=ROOT,
        env={**os.environ, "GOBLIN_DATA_DIR": str(folder / log)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    """A report without its wall time."""
    return {name: value for name, value in report.items() if name != "seconds"}


def test_names_equal_the_commands_and_nothing_else_is_public(
    app: Served, rest: Callable[..., Answer], mcp: Callable[..., Answer]
) -> None:
    named = {tool.replace("_", "-") for tool in TOOLS}
    assert named - {"approve"} <= set(COMMANDS)  # a terminal asks by itself
    listed = Client(app.url, verbose=False).view_api(return_format="dict", print_info=False)
    assert sorted(listed["named_endpoints"]) == sorted(f"/{tool}" for tool in TOOLS)
    assert not listed["unnamed_endpoints"]
    tools = {tool.name: tool for tool in mcp("tools/list")}
    assert sorted(tools) == sorted(TOOLS)
    wanted = tools["audit"].inputSchema
    assert wanted["required"] == ["files"]
    assert wanted["properties"]["include"]["items"]["enum"] == ["neutral", "numerics", "dynamics"]
    for tool in tools.values():
        assert len(tool.description) > 40
        assert all("description" in one for one in tool.inputSchema["properties"].values())


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"hardware": "h100-sxm", "gpus": 8, "include": ["neutral", "dynamics"]},
        {"lengths": "p50=310,p95=900,max=2048", "versions": {"transformers": "4.57"}},
    ],
    ids=["as it is", "card and kinds", "lengths and versions"],
)
def test_page_rest_mcp_and_command_line_give_the_same_report(
    wish: dict[str, Any],
    rest: Callable[..., Answer],
    mcp: Callable[..., Answer],
    tmp_path: Path,
) -> None:
    words: list[object] = ["audit", written(tmp_path, "train.yml", STOPS)]
    for name, value in wish.items():
        said = ",".join(f"{a}={b}" for a, b in value.items()) if isinstance(value, dict) else value
        words += [f"--{name}", ",".join(said) if isinstance(said, list) else said]
    told = timeless(command(tmp_path, *words)["data"]["report"])
    assert timeless(rest("audit", files=FILES, **wish)["report"]) == told
    assert timeless(mcp("audit", files=FILES, **wish)["report"]) == told
    if "include" not in wish:
        assert timeless(by_the_form(wish, tmp_path)) == told


def by_the_form(wish: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The report that the page's form leads to."""
    filled = Filled(
        hardware=wish.get("hardware"),
        gpus=wish.get("gpus", 1),
        versions=",".join(f"{a}={b}" for a, b in wish.get("versions", {}).items()),
        **({"p50": 310, "p95": 900, "longest": 2048} if "lengths" in wish else {}),
    )
    request = request_of(filled, {"x": Upload("train.yml", STOPS.encode())}, Settings())
    jobs = Jobs(Settings(data_dir=folder / "page"))
    try:
        last = wait_for(jobs, jobs.start(request).audit_id)[-1]
    finally:
        jobs.close()
    return dict(last.data["report"])


def test_parse_search_and_estimate_answer_as_the_commands_do(
    rest: Callable[..., Answer], mcp: Callable[..., Answer], tmp_path: Path
) -> None:
    path = written(tmp_path, "train.yml", STOPS)
    for given, words in (
        (("parse", {"files": FILES}), ("parse", path)),
        (("search", {"question": "tf32 on AMD", "k": 3}), ("search", "tf32 on AMD", "-k", 3)),
        (
            ("estimate", {"files": FILES, "hardware": "h200", "gpus": 4}),
            ("estimate", path, "--hardware", "h200", "--gpus", 4),
        ),
        (("what_if", {"files": FILES}), ("what-if", path)),
        (
            (
                "what_if",
                {
                    "files": FILES,
                    "hardware": ["h200", "rtx-4090"],
                    "gpus": 2,
                    "rows": "52k",
                    "prices": {"h200": 3.5},
                    "lengths": "p50=310,p95=900,max=2048",
                },
            ),
            ("what-if", path, "--hardware", "h200,rtx-4090", "--gpus", 2, "--rows", "52k",
             "--price", "h200=3.5", "--lengths", "p50=310,p95=900,max=2048"),
        ),
    ):  # fmt: skip
        tool, wish = given
        told = command(tmp_path, *words)
        assert rest(tool, **wish) == told
        assert mcp(tool, **wish) == told


def test_finished_audits_are_compared_by_id_and_open_by_link(
    app: Served, rest: Callable[..., Answer], mcp: Callable[..., Answer]
) -> None:
    made = [rest("audit", files=FILES), mcp("audit", files=FILES, include=["neutral"])]
    ids = [one["audit_id"] for one in made]
    assert made[0]["link"] == f"/?audit={ids[0]}"
    assert len({one["owner_token"] for one in made}) == 2
    told = rest("compare", audit_ids=ids)
    assert mcp("compare", audit_ids=ids) == told
    assert [one["audit_id"] for one in told["audits"]] == ids
    assert told["comparisons"][0]["verdict"] == "no_difference"
    assert told["audits"][0]["metrics"] == made[0]["report"]["after"]


def test_a_finished_audit_is_asked_as_the_commands_ask_it(
    app: Served, rest: Callable[..., Answer], mcp: Callable[..., Answer]
) -> None:
    made = rest("audit", files=FILES)["audit_id"]
    for tool, given, words in (
        ("ask", {"question": "why does it stop?"}, ("ask", made, "why does it stop?")),
        (
            "what_if",
            {"hardware": ["b200"], "nodes": 2, "lengths": "p50=64,p95=128,max=256"},
            ("what-if", "--audit", made, "--hardware", "b200", "--nodes", 2,
             "--lengths", "p50=64,p95=128,max=256"),
        ),
    ):  # fmt: skip
        told = command(app.data.parent, *words, log=app.data.name)
        assert rest(tool, audit_id=made, **given) == told
        assert mcp(tool, audit_id=made, **given) == told
    assert told["rows"][0]["hardware"] == "b200"


def test_a_request_too_large_is_refused_before_it_is_parsed(app: Served) -> None:
    parts = urllib.parse.urlsplit(app.url)
    piece = b"x" * 1_000_000
    for body, headers in (
        (piece * 33, {}),
        ((piece for _ in range(33)), {"Transfer-Encoding": "chunked"}),
    ):
        caller = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        with contextlib.closing(caller):
            caller.request(
                "POST",
                "/gradio_api/call/audit",
                body,
                {"Content-Type": "application/json", **headers},
                encode_chunked=bool(headers),
            )
            answer = caller.getresponse()
            assert answer.status == 413
            assert "larger than 32 MB" in json.loads(answer.read())["error"]


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("audit", {"files": {}}, "there is no file to audit"),
        ("audit", {"files": {"a.yml": "a: [1\n"}}, "a.yml, line"),
        ("audit", {"files": FILES, "hardware": "h9000"}, "h9000"),
        ("audit", {"files": FILES, "gpus": 0}, "gpus is 0"),
        ("audit", {"files": "train.yml"}, "audit: files: Input should be a valid dictionary"),
        ("audit", {"files": FILES, "lengths": "/etc/passwd"}, "p50="),
        ("parse", {"files": {"../../etc/a.yml": AXOLOTL * 3000}}, "a.yml: "),
        ("audit", {"files": {f"{n}.yml": AXOLOTL for n in range(21)}}, "21 files are too many"),
        ("search", {"question": " "}, "there is no question"),
        ("estimate", {"files": {"a.yml": "base_model: x\n"}}, "a.yml"),
        ("compare", {"audit_ids": ["f" * 32, "e" * 32]}, "no audit with this id"),
        ("compare", {"audit_ids": ["../x"]}, "no audit id"),
        ("what_if", {}, "give files, or audit_id"),
        ("what_if", {"files": FILES, "hardware": ["h9000"]}, "h9000"),
        ("what_if", {"files": FILES, "rows": "many"}, "rows"),
        ("what_if", {"files": FILES, "prices": {"mi300x": -1.0}}, "the price of mi300x"),
        ("ask", {"audit_id": "f" * 32, "question": "why?"}, "no audit with this id"),
    ],
)
def test_what_is_wrong_is_said_in_one_plain_message(
    tool: str,
    given: dict[str, Any],
    said: str,
    rest: Callable[..., Answer],
    mcp: Callable[..., Answer],
    app: Served,
) -> None:
    with pytest.raises(AppError) as told:
        rest(tool, **given)
    assert said in str(told.value)
    if isinstance(given.get("files", {}), dict):
        with pytest.raises(ValueError, match=r".") as refused:
            mcp(tool, **given)
        assert said in str(refused.value)
    assert "Traceback" not in str(told.value)


def test_no_answer_holds_a_secret(rest: Callable[..., Answer], mcp: Callable[..., Answer]) -> None:
    files = {f"{TOKEN}.yml": WITH_TOKEN}
    for tool in ("audit", "parse"):
        for ask in (rest, mcp):
            answer = json.dumps(ask(tool, files=files))
            assert TOKEN not in answer
            assert "redacted" in answer
    with pytest.raises(AppError) as told:
        rest("audit", files={f"{TOKEN}.yml": "a: [1\n"})
    assert TOKEN not in str(told.value)
