"""Who pays for a model on a Space: the visitor's token, or the operator up to caps that last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.finished.ask import ask
from agent.jobs import Jobs
from agent.money.purse import FILE, Purse
from agent.request import Visitor
from agent.settings import ModelSettings, read_settings
from audit.records.answer import Answer
from audit.records.errors import SetupError
from tests.agent.model_audits import (
    TOKEN,
    WIRES,
    play,
    report,
    script,
    settings_for,
    told,
    why,
)
from tests.agent.provider import Answer as Reply
from tests.agent.provider import Provider, provider
from tests.agent.training_files import STOPS, request_for, wait_for

OWN = "hf_" + "Vi5It0rT0ken" * 3
both = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def space(tmp_path: Path) -> dict[str, Any]:
    """A Space whose operator pays: three turns of 1,050 tokens for each visitor, five for all."""
    return {
        "on_space": True,
        "space_opt_in": True,
        "data_dir": tmp_path / "data",
        "space_visitor_tokens": 3000,
        "space_daily_tokens": 5000,
    }


def test_a_visitors_own_token_pays_and_stands_nowhere(space: dict[str, Any]) -> None:
    visitor = Visitor("ann-of-elsewhere", OWN)
    models = {**space, "space_opt_in": False, "hf_bill_to": "the-operators-org", "debug": True}
    events, server = play("huggingface", script(), models=models, visitor=visitor)
    assert report(events).completed_by == "model"
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {OWN}"}
    assert not any("x-hf-bill-to" in headers for headers in server.headers)
    everything = "".join(event.model_dump_json() for event in events) + repr(visitor)
    assert OWN not in everything
    assert "ann-of-elsewhere" not in everything
    assert not (space["data_dir"] / FILE).exists()


@both
def test_nobody_spends_the_operators_money_unasked(wire: str, space: dict[str, Any]) -> None:
    models = {**space, "space_opt_in": False}
    visitor = Visitor("ann-of-elsewhere", OWN if wire != "huggingface" else None)
    events, server = play(wire, script(), models=models, visitor=visitor)
    assert (events[-1].type, events[-1].data["kind"]) == ("error", "backend")
    assert "operator's expense" in events[-1].data["message"]
    assert "the rules need no key" in events[-1].data["remedy"]
    assert not server.requests
    assert not any(OWN in event.model_dump_json() for event in events)


@both
def test_caps_of_a_visitor_and_of_the_day_outlast_a_restart(
    wire: str, space: dict[str, Any]
) -> None:
    events, server = play(wire, script(), models=space, visitor=Visitor("one"))
    assert len(server.requests) == 3
    assert "your allowance for models on this Space is used up for today" in why(events)
    assert report(events).completed_by == "model+rules"
    events, server = play(wire, script(), models=space, visitor=Visitor("one"))
    assert (events[-1].type, events[-1].data["kind"]) == ("error", "budget")
    assert "00:00 UTC" in events[-1].data["remedy"]
    assert "the rules need no key" in events[-1].data["remedy"]
    assert not server.requests
    assert not told(events, "stage")
    events, server = play(wire, script(), models=space, visitor=Visitor("two"))
    assert len(server.requests) == 2
    assert "this Space's allowance for models is used up for today" in why(events)
    assert b"one" not in (space["data_dir"] / FILE).read_bytes().replace(b"NOT NULL", b"")


@both
def test_a_server_that_tells_no_usage_is_weighed(wire: str, space: dict[str, Any]) -> None:
    from dataclasses import replace

    turns = [replace(turn, usage=None) for turn in script()]
    _, server = play(wire, turns, models=space)
    assert len(server.requests) == 1


def test_dollars_are_capped_where_the_price_is_known(space: dict[str, Any]) -> None:
    dollars = {**space, "space_visitor_tokens": 10**9, "space_visitor_usd": 0.01}
    dollars |= {"space_daily_tokens": 10**9}
    events, server = play("claude", script(), models=dollars)
    assert "price of the model is not known" in events[-1].data["message"]
    assert not server.requests
    events, server = play("claude", script(), models={**dollars, "usd_per_million": (3.0, 15.0)})
    assert len(server.requests) == 3
    assert "your allowance" in why(events)


def test_a_new_day_starts_anew_and_forgets_the_old(tmp_path: Path) -> None:
    day = ["2026-11-28"]
    models = ModelSettings(data_dir=tmp_path, space_visitor_tokens=10)
    purse = Purse(models, "me", today=lambda: day[0])
    purse.spend(10, None)
    assert "your allowance" in purse.used_up()
    assert not Purse(models, "you", today=lambda: day[0]).used_up()
    day[0] = "2026-11-29"
    assert not purse.used_up()
    assert b"2026-11-28" not in (tmp_path / FILE).read_bytes()


def test_a_purse_that_cannot_be_kept_spends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    purse = Purse(ModelSettings(data_dir=tmp_path / "file"), "me")
    assert "cannot be kept" in purse.used_up()
    purse.spend(1, None)
    assert "cannot be kept" in purse.used_up()


def test_the_caps_stand_in_the_environment(tmp_path: Path) -> None:
    stated = {
        "GOBLIN_DATA_DIR": str(tmp_path),
        "GOBLIN_SPACE_DAILY_TOKENS": "5000000",
        "GOBLIN_SPACE_VISITOR_TOKENS": "90000",
        "GOBLIN_SPACE_DAILY_USD": "2.5",
    }
    models = read_settings(stated).models
    assert (models.space_daily_tokens, models.space_visitor_tokens) == (5_000_000, 90_000)
    assert (models.space_daily_usd, models.space_visitor_usd) == (2.5, None)
    assert models.data_dir == tmp_path
    with pytest.raises(SetupError, match="GOBLIN_SPACE_DAILY_TOKENS"):
        read_settings({"GOBLIN_SPACE_DAILY_TOKENS": "plenty"})


def test_jobs_count_for_whoever_asks_and_keep_no_token(tmp_path: Path) -> None:
    """A visitor who is not signed in counts under the name that the page gives."""
    with provider(*script(), *script()) as server:
        stated = {
            "SPACE_ID": "me/mine",
            "GOBLIN_SPACE_MODELS": "1",
            "GOBLIN_SPACE_VISITOR_TOKENS": "1000",
            "GOBLIN_DATA_DIR": str(tmp_path),
            "GOBLIN_HF_BASE_URL": f"{server.url}/v1",
            "HF_TOKEN": TOKEN,
        }
        names = iter([Visitor("ann"), Visitor("ann"), Visitor("bob")])
        jobs = Jobs(read_settings(stated), visitor=lambda: next(names))
        try:
            ends = []
            for visitor in (Visitor(), Visitor(), Visitor("bob", OWN)):
                request = request_for(STOPS, backend="huggingface", visitor=visitor)
                started = jobs.start(request)
                ends.append(wait_for(jobs, started.audit_id)[-1])
        finally:
            jobs.close()
        assert [end.type for end in ends] == ["final_report", "error", "final_report"]
        assert server.headers[-1]["authorization"] == f"Bearer {OWN}"
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert OWN.encode() not in path.read_bytes(), path


def test_a_question_is_paid_like_an_audit(space: dict[str, Any]) -> None:
    finished = report(play("openai", script())[0])
    ann = Visitor("ann-of-elsewhere")

    def asked(
        server: Provider, wire: str = "claude", visitor: Visitor = ann, **more: Any
    ) -> Answer:
        models = settings_for(server.url, **{**space, **more})
        return ask(finished, "Why does it stop?", backend=wire, models=models, visitor=visitor)

    good = Reply(text="It stops. [rule:precision.tf32_on_rocm]", usage=(2500, 50))
    with provider(good, good) as server:
        answer = asked(server, space_opt_in=False)
        assert (answer.by, server.requests) == ("search", [])
        assert "operator's expense" in answer.note
        own = asked(server, "huggingface", Visitor("bob", OWN), space_opt_in=False)
        assert own.by != "search"
        assert server.headers[0]["authorization"] == f"Bearer {OWN}"
        assert asked(server).by != "search"
    with provider(replace(good, usage=None), good) as server:
        assert asked(server, "openai").by != "search"  # not told: weighed, and now above 3,000
        answer = asked(server, "openai")
        assert "your allowance for models on this Space is used up" in answer.note
        assert len(server.requests) == 1
