"""Model backends from outside: command line, background jobs, two at once, nothing left open."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.api import report_of
from agent.backends.claude import ClaudeBackend
from agent.drive import drive
from agent.jobs import Jobs
from agent.loop import run_audit
from agent.settings import ModelSettings, read_settings
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.errors import SetupError
from tests.agent.model_audits import KEY, WIRES, play, script
from tests.agent.provider import Answer, Provider, provider
from tests.agent.training_files import STOPS, request_for, wait_for, written


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A server that the environment points to, as an operator would."""
    with provider(*script()) as server:
        monkeypatch.setenv("GOBLIN_OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("GOBLIN_OPENAI_MODEL", new_secret()[:8])
        yield server


def test_the_command_line_takes_a_model(
    served: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, "train.yml", STOPS))
    assert main(["audit", file, "--backend", "openai", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["data"]["report"]["completed_by"] == "model"
    assert len(served.requests) == 7


def test_without_a_key_the_command_line_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, "train.yml", STOPS))
    for backend, variable in (("claude", "ANTHROPIC_API_KEY"), ("huggingface", "HF_TOKEN")):
        assert main(["audit", file, "--backend", backend]) == 1
        said = capsys.readouterr().err
        assert variable in said
        assert "--backend rules" in said
        assert "Traceback" not in said


def test_a_key_alone_selects_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with provider() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_" + "Ab3De5Gh7" * 4)
        file = str(written(tmp_path, "train.yml", STOPS))
        assert main(["audit", file, "--json"]) == 0
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert last["data"]["report"]["completed_by"] == "rules"
        assert not server.requests


def test_the_environment_is_read_once_and_shows_no_key() -> None:
    settings = read_settings(
        {
            "GOBLIN_AGENT_BACKEND": "qwen",
            "ANTHROPIC_API_KEY": KEY,
            "GOBLIN_MODEL_USD_PER_MILLION": "3, 15",
            "SPACE_ID": "me/mine",
        }
    )
    assert settings.backend == "huggingface"
    assert settings.models.usd_per_million == (3.0, 15.0)
    assert settings.models.on_space
    assert not settings.models.space_opt_in
    assert KEY not in repr(settings)
    for wrong in ("cheap", "3", "1,2,3", "-1,2"):
        with pytest.raises(SetupError, match="GOBLIN_MODEL_USD_PER_MILLION"):
            read_settings({"GOBLIN_MODEL_USD_PER_MILLION": wrong})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClaudeBackend, "package", "a_package_nobody_has")
    with provider() as server:
        store, audit_id = Store(None), new_secret()
        store.create(audit_id, "owner")
        models = ModelSettings(claude_key=KEY, claude_url=server.url)
        request = request_for(STOPS, backend="claude")
        last = list(drive(run_audit(request, store, audit_id, models=models)))[-1]
    assert last.data["message"].startswith("this backend needs the package a_package_nobody_has")
    assert "pip install" in last.data["remedy"]


def test_63_two_at_once_share_nothing(tmp_path: Path) -> None:
    slow = [Answer(calls=turn.calls, delay=0.05) for turn in script()]
    with provider(*slow) as first:
        stated = {"GOBLIN_OPENAI_BASE_URL": f"{first.url}/v1", "GOBLIN_OPENAI_MODEL": "one"}
        jobs = Jobs(read_settings({**stated, "GOBLIN_DATA_DIR": str(tmp_path)}))
        try:
            model = jobs.start(request_for(STOPS, backend="openai"))
            beside = jobs.start(request_for(STOPS, name="b.yml"))
            events = wait_for(jobs, model.audit_id)
            other = wait_for(jobs, beside.audit_id)
        finally:
            jobs.close()
    assert report_of(events[-1]).comparison.verdict == "faster"
    assert report_of(other[-1]).workload_name == "b.yml"
    assert report_of(other[-1]).completed_by == "rules"
    assert {event.audit_id for event in events} == {model.audit_id}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("cut", ["close", "abort", "error"])
def test_nothing_stays_open(wire: str, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.backends.patience.FIRST_WAIT", 0.01)
    broken = Answer(text="half", cut=cut, error=("overloaded_error", "Overloaded"))
    play(wire, [broken, *script()])  # what is imported and cached once
    gc.collect()
    before = (threading.active_count(), open_files())
    for _ in range(3):
        play(wire, [broken, *script(), broken])
    gc.collect()
    assert (threading.active_count(), open_files()) == before


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize("wire", WIRES)
def test_a_reader_who_leaves_closes_the_connection(wire: str) -> None:
    """The generator is closed in the middle of the audit, as when a caller breaks out of it."""
    from tests.agent.model_audits import settings_for

    before = threading.active_count()
    with provider(*script()) as server:
        store, audit_id = Store(None), new_secret()
        store.create(audit_id, "owner")
        models = settings_for(server.url)
        steps = drive(run_audit(request_for(STOPS, backend=wire), store, audit_id, models=models))
        for event in steps:
            if event.type == "tool_result":
                break
        steps.close()
    assert threading.active_count() == before
