"""Audits in the background: ownership, cancel, two at once, deletion, and what a restart finds."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.jobs import MAX_WAITING, Jobs
from agent.request import request_from
from agent.settings import Settings
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.errors import SetupError, UnknownName, UserError
from audit.records.events import LogData
from tests.agent.training_files import (
    AXOLOTL,
    SCRIPT,
    STOPS,
    TOKEN,
    WITH_TOKEN,
    request_for,
    wait_for,
)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(Settings(data_dir=tmp_path / "data"))
    yield made
    made.close()


def test_an_audit_runs_by_itself_and_can_be_read_by_its_link(jobs: Jobs) -> None:
    started = jobs.start(request_for(STOPS))
    events = wait_for(jobs, started.audit_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    report = jobs.report(started.audit_id)
    assert report is not None
    assert jobs.status(started.audit_id) == "done"
    (summary,) = jobs.list()
    assert (summary.workload_name, summary.hardware) == ("train.yml", "mi300x")
    assert summary.findings == len(report.findings)
    assert summary.speedup == report.comparison.speedup.value  # type: ignore[union-attr]
    assert jobs.follow(started.audit_id, after=len(events), timeout=5) == []


def test_only_the_owner_may_cancel_delete_and_take_the_files(jobs: Jobs) -> None:
    started = jobs.start(request_for(STOPS))
    wait_for(jobs, started.audit_id)
    assert jobs.owns(started.audit_id, started.owner_token)
    for token in ("", new_secret(), started.audit_id):
        assert not jobs.owns(started.audit_id, token)
        for ask in (jobs.cancel, jobs.delete, jobs.patched_files, jobs.again):
            with pytest.raises(UserError, match="somebody else"):
                ask(started.audit_id, token)
    assert not jobs.owns(started.audit_id, None)
    assert jobs.report(started.audit_id) is not None


def test_ids_that_are_none_are_refused_before_the_disk(jobs: Jobs) -> None:
    for text in ("../../etc", "", "x" * 32):
        for ask in (jobs.events, jobs.follow, jobs.report, jobs.status):
            with pytest.raises(UnknownName):
                ask(text)
    with pytest.raises(UnknownName):
        jobs.cancel(new_secret(), new_secret())


def test_two_audits_at_once_do_not_touch_each_other(jobs: Jobs) -> None:
    requests = [request_for(STOPS, "a.yml"), request_for(SCRIPT, "b.py", hardware="h100-sxm")]
    started = [jobs.start(requests[number % 2]) for number in range(6)]
    reports = [jobs.report(one.audit_id) for one in started if wait_for(jobs, one.audit_id)]
    assert [(report.workload_name, report.hardware.id) for report in reports if report] == [
        ("a.yml", "mi300x"),
        ("b.py", "h100-sxm"),
    ] * 3
    assert "a.yml" not in str(reports[1])
    assert reports[0].findings == reports[2].findings  # type: ignore[union-attr]


def test_a_waiting_audit_can_be_cancelled(tmp_path: Path) -> None:
    jobs = Jobs(Settings(data_dir=tmp_path, workers=1))
    started = [jobs.start(request_for(STOPS)) for _ in range(4)]
    jobs.cancel(started[-1].audit_id, started[-1].owner_token)
    last = wait_for(jobs, started[-1].audit_id)[-1]
    assert last.type == "cancelled"
    assert wait_for(jobs, started[0].audit_id)[-1].type == "final_report"
    jobs.cancel(started[0].audit_id, started[0].owner_token)
    assert jobs.status(started[0].audit_id) == "done"
    jobs.close()


def test_too_many_waiting_audits_are_refused(tmp_path: Path) -> None:
    jobs = Jobs(Settings(data_dir=tmp_path, workers=0))
    for _ in range(MAX_WAITING):
        jobs.start(request_for(AXOLOTL))
    with pytest.raises(UserError, match="too many"):
        jobs.start(request_for(AXOLOTL))
    assert len(jobs.list(limit=100)) == MAX_WAITING
    jobs.close()
    ended = Store(tmp_path)
    assert {one.status for one in ended.summaries(limit=MAX_WAITING)} == {"cancelled"}
    ended.close()


def test_deleting_leaves_nothing_behind(jobs: Jobs, tmp_path: Path) -> None:
    started = jobs.start(request_for(STOPS))
    wait_for(jobs, started.audit_id)
    assert (tmp_path / "data" / "uploads" / started.audit_id).is_dir()
    jobs.delete(started.audit_id, started.owner_token)
    assert not (tmp_path / "data" / "uploads" / started.audit_id).exists()
    with pytest.raises(UnknownName):
        jobs.events(started.audit_id)


def test_a_bad_file_is_an_error_event_and_its_bytes_are_kept(jobs: Jobs) -> None:
    started = jobs.start(request_for("bf16: [true\n"))
    last = wait_for(jobs, started.audit_id)[-1]
    assert (last.type, last.data["kind"]) == ("error", "input")
    assert jobs.report(started.audit_id) is None
    assert jobs.patched_files(started.audit_id, started.owner_token) == ()
    again = jobs.again(started.audit_id, started.owner_token)
    assert wait_for(jobs, again.audit_id)[-1].data["message"] == last.data["message"]


def test_what_was_asked_can_be_asked_again(jobs: Jobs) -> None:
    request = request_for(
        STOPS,
        hardware="H100 SXM",
        gpus=2,
        versions={"transformers": "4.57"},
        include=frozenset({"neutral"}),
        keep=frozenset({"bf16"}),
        steps=20,
    )
    assert request_from(request.as_json(), request.uploads) == request
    started = jobs.start(request)
    events = wait_for(jobs, started.audit_id)
    assert request_from(events[0].data["request"], request.uploads) == request
    again = jobs.again(started.audit_id, started.owner_token)
    wait_for(jobs, again.audit_id)
    first, second = jobs.report(started.audit_id), jobs.report(again.audit_id)
    assert first is not None
    assert second is not None
    assert first.patch == second.patch


@pytest.mark.parametrize(("text", "name"), [(STOPS, "train.yml"), (SCRIPT, "train.py")])
def test_the_patched_file_is_what_git_makes_of_the_diff(
    jobs: Jobs, tmp_path: Path, text: str, name: str
) -> None:
    started = jobs.start(request_for(text, name))
    wait_for(jobs, started.audit_id)
    report = jobs.report(started.audit_id)
    assert report is not None
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / name).write_text(text)
    for command in (["git", "init", "-q"], ["git", "apply", "-"]):
        subprocess.run(command, cwd=folder, input=report.patch.diff.encode(), check=True)
    (patched,) = jobs.patched_files(started.audit_id, started.owner_token)
    assert patched.data == (folder / name).read_bytes()
    assert patched.digest == report.patch.files[0].sha256_after
    assert patched.data != text.encode()
    diff = report.patch.diff.splitlines()
    assert report.patch.files[0].added == sum(line.startswith("+") for line in diff) - 1
    assert report.patch.files[0].removed == sum(line.startswith("-") for line in diff) - 1


def test_a_token_in_the_file_stays_in_the_file(jobs: Jobs, tmp_path: Path) -> None:
    started = jobs.start(request_for(WITH_TOKEN))
    events = wait_for(jobs, started.audit_id)
    assert not any(TOKEN in event.model_dump_json() for event in events)
    (patched,) = jobs.patched_files(started.audit_id, started.owner_token)
    assert TOKEN.encode() in patched.data
    assert b"tf32: true" not in patched.data
    for path in (tmp_path / "data").glob("audits.sqlite3*"):
        assert TOKEN.encode() not in path.read_bytes(), path


def test_a_restart_closes_what_a_dead_process_left_open(tmp_path: Path) -> None:
    store, audit_id = Store(tmp_path), new_secret()
    store.create(audit_id, "owner")
    store.append(audit_id, LogData(text="working"))
    store._base.execute("UPDATE audits SET process = '1:1:another-boot'")
    store.close()
    jobs = Jobs(Settings(data_dir=tmp_path))
    last = jobs.events(audit_id)[-1]
    assert (last.type, last.data["kind"]) == ("error", "interrupted")
    jobs.close()


def test_a_disk_that_is_full_starts_nothing(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "data" / "uploads").write_text("in the way")
    with pytest.raises(SetupError, match="GOBLIN_DATA_DIR"):
        jobs.start(request_for(STOPS))
    assert jobs.list() == ()
    (tmp_path / "data" / "uploads").unlink()
    assert wait_for(jobs, jobs.start(request_for(STOPS)).audit_id)[-1].type == "final_report"


def test_a_bug_is_told_as_one_and_frees_the_worker(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = f"not expected {TOKEN}"
        raise ZeroDivisionError(message)

    monkeypatch.setitem(__import__("agent.stages").stages.STAGE, "profile", broken)
    started = jobs.start(request_for(STOPS))
    last = wait_for(jobs, started.audit_id)[-1]
    assert (last.type, last.data["kind"]) == ("error", "internal")
    assert "ZeroDivisionError" in last.data["message"]
    assert not any("not expected" in str(event.data) for event in jobs.events(started.audit_id))
    monkeypatch.undo()
    assert wait_for(jobs, jobs.start(request_for(STOPS)).audit_id)[-1].type == "final_report"


def test_readers_follow_live(jobs: Jobs) -> None:
    started = jobs.start(request_for(STOPS))
    seen: list[list[int]] = [[], [], []]
    readers = [
        threading.Thread(
            target=lambda mine=mine: mine.extend(
                event.seq for event in wait_for(jobs, started.audit_id)
            )
        )
        for mine in seen
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(timeout=30)
    assert seen[0] == seen[1] == seen[2] == list(range(1, len(seen[0]) + 1))
