"""Finished audits outlive the local log: in a folder, and in a dataset of a Hub on loopback."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.jobs import Jobs, Started
from agent.settings import ModelSettings, Settings, read_settings
from audit.log.archive import ArchiveFault, FolderArchive, open_archive
from audit.log.archived import read_archived
from audit.log.hub_archive import HubArchive
from audit.log.ids import new_secret
from audit.records.errors import SetupError, UnknownName, UserError
from tests.agent.training_files import STOPS, TOKEN, WITH_TOKEN, request_for, wait_for
from tests.audit.hub import Hub, hub
from tests.ends import ends

WRITER = "hf_" + "archive0writer0token0of0a0test"
REPO = "me/audits"


@pytest.fixture
def at_hub() -> Iterator[Hub]:
    with hub(WRITER) as running:
        yield running


@pytest.fixture(params=["folder", "hub"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    data = tmp_path / "data"
    if request.param == "folder":
        yield Settings(data_dir=data, archive=str(tmp_path / "bucket"))
        return
    with hub(WRITER) as running:
        yield Settings(
            data_dir=data,
            archive=f"hf://datasets/{REPO}",
            hub_url=running.url,
            models=ModelSettings(hf_token=WRITER),
        )


def finished(settings: Settings, text: str = STOPS) -> tuple[Started, list[str]]:
    """One audit run to its end, and its events as JSON; everything written before this returns."""
    jobs = Jobs(settings)
    started = jobs.start(request_for(text))
    events = [event.model_dump_json() for event in wait_for(jobs, started.audit_id)]
    jobs.close()
    return started, events


def restarted(settings: Settings) -> Jobs:
    """The server after it lost its disk."""
    shutil.rmtree(settings.data_dir)
    return Jobs(settings)


def test_a_link_opens_after_the_local_log_is_gone(settings: Settings) -> None:
    started, events = finished(settings)
    jobs = restarted(settings)
    again = jobs.follow(started.audit_id, timeout=0)
    assert [event.model_dump_json() for event in again] == events
    assert jobs.status(started.audit_id) == "done"
    assert jobs.report(started.audit_id) is not None
    assert jobs.owns(started.audit_id, started.owner_token)
    assert not jobs.owns(started.audit_id, new_secret())
    (summary,) = jobs.list([started.audit_id])
    assert summary.workload_name == "train.yml"
    assert jobs.patched_files(started.audit_id, started.owner_token) == ()
    with pytest.raises(UserError, match="files of this audit are gone"):
        jobs.again(started.audit_id, started.owner_token)
    jobs.close()


def test_the_history_of_a_browser_finds_them_again(settings: Settings) -> None:
    started, _ = finished(settings)
    jobs = restarted(settings)
    assert jobs.list() == ()
    assert [one.audit_id for one in jobs.list([started.audit_id, "f" * 32])] == [started.audit_id]
    jobs.close()


def test_deleting_removes_the_copy_too(settings: Settings) -> None:
    started, _ = finished(settings)
    jobs = restarted(settings)
    with pytest.raises(UserError, match="somebody else"):
        jobs.delete(started.audit_id, new_secret())
    jobs.delete(started.audit_id, started.owner_token)
    jobs.close()
    jobs = restarted(settings)
    with pytest.raises(UnknownName):
        jobs.report(started.audit_id)
    jobs.close()


def test_the_command_deletes_the_copy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path / "data", archive=str(tmp_path / "bucket"))
    monkeypatch.setenv("GOBLIN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("GOBLIN_ARCHIVE", str(settings.archive))
    started, _ = finished(settings)
    shutil.rmtree(settings.data_dir)
    assert main(["show", started.audit_id]) == 0
    assert "Audit of train.yml" in capsys.readouterr().out
    shutil.rmtree(settings.data_dir)
    assert main(["delete", started.audit_id]) == 0
    assert not list((tmp_path / "bucket").rglob("*.json"))
    assert main(["show", started.audit_id]) == 2


def test_what_is_kept_is_redacted_and_holds_no_token(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", archive=str(tmp_path / "bucket"))
    started, _ = finished(settings, WITH_TOKEN)
    (path,) = (tmp_path / "bucket").rglob("*.json")
    text = path.read_text()
    assert TOKEN not in text
    assert started.owner_token not in text
    assert read_archived(started.audit_id, path.read_bytes()).events[-1].type == "final_report"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "bucket").rglob("*.draft"))


def test_a_made_up_id_does_not_drive_the_archive(at_hub: Hub, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        archive=f"hf://datasets/{REPO}",
        hub_url=at_hub.url,
        models=ModelSettings(hf_token=WRITER),
    )
    jobs = Jobs(settings)
    for _ in range(5):
        with pytest.raises(UnknownName):
            jobs.report("f" * 32)
    assert len([one for one in at_hub.asked if "f" * 32 in one]) == 1
    for name in ("../../etc/passwd", "", "F" * 32):
        with pytest.raises(UnknownName, match="no audit id"):
            jobs.report(name)
    jobs.close()


def no_disk(folder: Path) -> Callable[[], None]:
    """Make the archive's folder unusable; returns what mends it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    return folder.unlink


def test_a_write_that_fails_is_said_tried_again_and_breaks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket"
    mend = no_disk(bucket)
    jobs = Jobs(Settings(data_dir=tmp_path / "data", archive=str(bucket)))
    started = jobs.start(request_for(STOPS))
    assert wait_for(jobs, started.audit_id)[-1].type == "final_report"
    assert jobs.storage_note(started.audit_id).startswith("the archive cannot be written")
    assert "goblin: the archive cannot be written" in capsys.readouterr().err
    mend()
    with ends():
        while jobs.storage_note(started.audit_id):
            time.sleep(0.05)
    jobs.close()
    assert list(bucket.rglob("*.json"))


def test_a_hub_that_is_down_is_said_and_breaks_nothing(
    at_hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at_hub.refuse = 403
    archive = HubArchive(REPO, WRITER, at_hub.url)
    for ask in (
        lambda: archive.put({"a" * 32: b"{}"}),
        lambda: archive.get("a" * 32),
        lambda: archive.delete(["a" * 32]),
        lambda: archive.older(0),
    ):
        with pytest.raises(ArchiveFault, match="403"):
            ask()
    settings = Settings(
        data_dir=tmp_path,
        archive=f"hf://datasets/{REPO}",
        hub_url=at_hub.url,
        models=ModelSettings(hf_token=WRITER),
    )
    _, events = finished(settings)
    assert json.loads(events[-1])["type"] == "final_report"
    told = capsys.readouterr().err
    assert "the Hub says 403" in told
    assert WRITER not in told


def test_audits_that_end_together_share_a_private_commit(at_hub: Hub, tmp_path: Path) -> None:
    archive = HubArchive(REPO, WRITER, at_hub.url)
    ids = [new_secret() for _ in range(3)]
    archive.put({audit_id: audit_id.encode() for audit_id in ids})
    assert [len(commit["paths"]) for commit in at_hub.commits] == [3]
    assert at_hub.private == {REPO: True}
    assert [archive.get(audit_id) for audit_id in ids] == [one.encode() for one in ids]
    archive.delete([ids[0], "e" * 32])
    assert archive.get(ids[0]) is None
    assert at_hub.commits[-1]["paths"] == [("deletedFile", f"audits/{ids[0][:2]}/{ids[0]}.json")]


def test_old_files_are_deleted_from_the_archive(at_hub: Hub, tmp_path: Path) -> None:
    old, new = "a" * 32, "b" * 32
    folder = FolderArchive(tmp_path / "bucket")
    at = HubArchive(REPO, WRITER, at_hub.url)
    for archive in (folder, at):
        archive.put({old: b"{}", new: b"{}"})
    weeks = datetime.now(UTC) - timedelta(days=40)
    os.utime(tmp_path / "bucket" / "aa" / f"{old}.json", (weeks.timestamp(),) * 2)
    files = at_hub.repos[REPO]
    files[f"audits/aa/{old}.json"] = (b"{}", weeks)
    limit = (datetime.now(UTC) - timedelta(days=30)).timestamp()
    assert folder.older(limit) == at.older(limit) == [old]
    jobs = Jobs(Settings(data_dir=tmp_path / "data", archive=str(tmp_path / "bucket")))
    with ends():
        while folder.get(old) is not None:
            time.sleep(0.05)
    assert folder.get(new) == b"{}"
    jobs.close()


@pytest.mark.parametrize("cut", [0, 10, -2])
def test_a_file_that_is_not_whole_is_no_audit(tmp_path: Path, cut: int) -> None:
    settings = Settings(data_dir=tmp_path / "data", archive=str(tmp_path / "bucket"))
    started, _ = finished(settings)
    (path,) = (tmp_path / "bucket").rglob("*.json")
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    jobs = restarted(settings)
    with pytest.raises(UnknownName):
        jobs.report(started.audit_id)
    jobs.close()
    other = new_secret()
    with pytest.raises(ArchiveFault, match="not whole"):
        read_archived(other, data)


def test_the_place_is_a_folder_or_a_dataset_with_a_token(tmp_path: Path) -> None:
    assert isinstance(open_archive(str(tmp_path)), FolderArchive)
    assert isinstance(open_archive("hf://datasets/me/audits", token="t"), HubArchive)
    with pytest.raises(SetupError, match="no HF_TOKEN"):
        open_archive("hf://datasets/me/audits")
    with pytest.raises(SetupError, match=r"GOBLIN_ARCHIVE is 'hf://me/audits'"):
        open_archive("hf://me/audits", token="t")
    stated = read_settings({"GOBLIN_ARCHIVE": "/data/audits", "HF_ENDPOINT": "http://hub"})
    assert (stated.archive, stated.hub_url) == ("/data/audits", "http://hub")
