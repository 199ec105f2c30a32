"""Trajectories pushed with the real client to a local Hub: private, redacted, one stable file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.jobs import Jobs
from agent.settings import Settings
from tests.agent.training_files import TOKEN, WITH_TOKEN, request_for, wait_for
from tests.audit.hub import hub

HF = "hf_write_token"
Env = pytest.MonkeyPatch
Said = pytest.CaptureFixture[str]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: Env) -> str:
    """The id of a finished audit of a file that holds a secret."""
    monkeypatch.setenv("GOBLIN_DATA_DIR", str(tmp_path))
    jobs = Jobs(Settings(data_dir=tmp_path))
    started = jobs.start(request_for(WITH_TOKEN))
    wait_for(jobs, started.audit_id)
    jobs.close()
    return started.audit_id


@pytest.mark.parametrize("form", ["messages", "hermes", "atropos"])
def test_an_export_becomes_one_file_of_a_private_dataset(
    form: str, kept: str, monkeypatch: Env, capsys: Said
) -> None:
    with hub(HF) as there:
        monkeypatch.setenv("HF_ENDPOINT", there.url)
        monkeypatch.setenv("HF_TOKEN", HF)
        for _ in range(2):
            assert main(["export", kept[:8], "--format", form, "--push", "ada/audits"]) == 0
        assert main(["export", "--all", "--format", form, "--push", "ada/audits"]) == 0
        said = capsys.readouterr()
        assert main(["export", kept, "--format", form]) == 0
        shown = capsys.readouterr().out
        assert there.private == {"ada/audits": True}
        files = there.repos["ada/audits"]
        assert set(files) == {f"{form}/{kept}.jsonl", f"{form}/all.jsonl"}
        pushed = files[f"{form}/{kept}.jsonl"][0].decode()
    assert pushed == shown
    assert [json.loads(line) for line in pushed.splitlines()]
    assert TOKEN not in pushed
    assert said.out.splitlines()[0].endswith(f"/datasets/ada/audits/blob/main/{form}/{kept}.jsonl")
    assert HF not in said.out + said.err + pushed


def test_without_a_token_nothing_is_asked(kept: str, monkeypatch: Env, capsys: Said) -> None:
    with hub(HF) as there:
        monkeypatch.setenv("HF_ENDPOINT", there.url)
        assert main(["export", kept, "--format", "messages", "--push", "ada/audits"]) == 1
        assert there.asked == []
    assert "there is no HF_TOKEN" in capsys.readouterr().err


def test_a_public_dataset_wants_a_second_yes(kept: str, monkeypatch: Env, capsys: Said) -> None:
    with hub(HF) as there:
        monkeypatch.setenv("HF_ENDPOINT", there.url)
        monkeypatch.setenv("HF_TOKEN", HF)
        there.repos["ada/open"], there.private["ada/open"] = {}, False
        words = ["export", kept, "--format", "messages", "--push", "ada/open"]
        assert main(words) == 2
        assert "ada/open is public: everybody could read" in capsys.readouterr().err
        assert there.commits == []
        assert main([*words, "--public"]) == 0
        assert "everybody can read it now" in capsys.readouterr().err
        assert len(there.commits) == 1
        assert there.private == {"ada/open": False}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_dataset_and_not_the_token(
    status: int, kept: str, monkeypatch: Env, capsys: Said
) -> None:
    with hub(HF) as there:
        there.refuse = status
        monkeypatch.setenv("HF_ENDPOINT", there.url)
        monkeypatch.setenv("HF_TOKEN", HF)
        assert main(["export", kept, "--format", "hermes", "--push", "ada/audits"]) == 1
    said = capsys.readouterr().err
    assert "ada/audits cannot be written" in said
    assert str(status) in said
    assert HF not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "messages", "--push", "no-owner"], "names no dataset"),
        (["--format", "messages", "--push", "../etc/x"], "names no dataset"),
        (["--format", "json", "--push", "ada/audits"], "does not go with --format json"),
    ],
)
def test_a_push_that_makes_no_sense_is_refused(
    words: list[str], told: str, kept: str, monkeypatch: Env, capsys: Said
) -> None:
    monkeypatch.setenv("HF_TOKEN", HF)
    assert main(["export", kept, *words]) == 2
    assert told in capsys.readouterr().err
