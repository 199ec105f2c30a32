"""On a machine with a card the page and the tools take it, and say that it was detected."""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from gradio_client import Client

from agent.card import Card, card_for
from agent.settings import Settings
from tests.agent.training_files import STOPS
from tests.runner.box.fake_tools import write_nvidia
from tests.serving import serve


def test_page_and_tools_take_the_card_of_the_machine(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    write_nvidia(tools)
    with serve(tmp_path, {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}) as app:
        with urllib.request.urlopen(f"{app.url}/config", timeout=60) as answer:
            parts = json.load(answer)["components"]
        given = next(one["props"] for one in parts if one["props"].get("elem_id") == "gg-hardware")
        assert given["value"] == ""
        assert given["choices"][0] == ["NVIDIA H100 SXM5 80GB (detected)", ""]
        bar = next(one["props"] for one in parts if one["props"].get("elem_id") == "gg-bar")
        assert "NVIDIA H100 SXM5 80GB here: figures are projected" in bar["value"]
        client = Client(app.url, verbose=False)
        used = client.predict(files={"train.yml": STOPS}, api_name="/audit")["report"]["hardware"]
        assert (used["id"], used["origin"]) == ("h100-sxm", "detected")
        wish = {"files": {"train.yml": STOPS}, "hardware": "mi300x"}
        used = client.predict(**wish, api_name="/audit")["report"]["hardware"]
        assert (used["id"], used["origin"]) == ("mi300x", "stated")


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without any tool of a card's maker."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return Settings()


def test_without_a_card_nothing_is_detected(operator: Settings) -> None:
    assert card_for(None, "fake", operator) == Card(None)
    assert card_for("h200", "fake", operator) == Card("h200")


def test_what_the_operator_names_is_for_projections_and_rented_machines(
    operator: Settings,
) -> None:
    named = replace(operator, hardware="b200")
    assert card_for(None, "fake", named) == card_for(None, "hf_jobs", named) == Card("b200")
    assert card_for(None, "local", named) == Card(None)
    assert card_for(None, "fake", replace(named, on_space=True)) == Card("b200")
