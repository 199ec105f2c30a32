"""The log: real SQLite, real threads, real files and modes."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from audit.log.ids import check_audit_id, new_secret
from audit.log.replay import line, replay
from audit.log.store import AuditEnded, Store
from audit.records.errors import SetupError, UnknownName
from audit.records.events import (
    MAX_BOUNDED,
    CancelledData,
    ErrorData,
    LogData,
    StartedData,
    ThoughtData,
)
from tests.ends import ends

TOKEN = "hf_" + "Qw3rTy7uIoPaSdFgHjKlZxCvBnM1234567"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def begun(store: Store) -> str:
    audit_id = new_secret()
    store.create(audit_id, "owner")
    return audit_id


STARTED = StartedData(
    workload_name="train.yml",
    files=("train.yml",),
    hardware="mi300x",
    hardware_origin="assumed",
    gpus=1,
    nodes=1,
    backend="rules",
    runner="fake",
)


def test_events_are_numbered_from_one_without_gaps(store: Store) -> None:
    audit_id = begun(store)
    for number in range(5):
        store.append(audit_id, LogData(text=str(number)))
    assert [event.seq for event in store.events(audit_id)] == [1, 2, 3, 4, 5]
    assert [event.data["text"] for event in store.events(audit_id, after=3)] == ["3", "4"]


def test_exactly_one_terminal_event(store: Store) -> None:
    audit_id = begun(store)
    store.append(audit_id, CancelledData(text="stopped"))
    for late in (LogData(text="late"), ErrorData(kind="internal", message="late")):
        with pytest.raises(AuditEnded):
            store.append(audit_id, late)
    assert store.status(audit_id) == "cancelled"
    assert len(store.events(audit_id)) == 1


def test_the_database_itself_refuses_a_second_end(store: Store, tmp_path: Path) -> None:
    audit_id = begun(store)
    store.append(audit_id, CancelledData(text="stopped"))
    base = sqlite3.connect(tmp_path / "data" / "audits.sqlite3")
    with pytest.raises(sqlite3.IntegrityError):
        base.execute("INSERT INTO events VALUES (?, 9, 'error', '', 1, NULL, '{}')", (audit_id,))
    base.close()


def test_threads_append_without_losing_or_repeating_a_number(store: Store) -> None:
    audit_id = begun(store)
    threads = [
        threading.Thread(
            target=lambda: [store.append(audit_id, ThoughtData(text="x")) for _ in range(40)]
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in store.events(audit_id)] == list(range(1, 241))


def test_log_lines_are_kept_to_the_first_thousand(store: Store) -> None:
    audit_id = begun(store)
    kept = [store.append(audit_id, LogData(text="line")) for _ in range(MAX_BOUNDED + 3)]
    assert sum(event is not None for event in kept) == MAX_BOUNDED
    assert store.append(audit_id, ThoughtData(text="still written")) is not None


def test_a_secret_never_reaches_the_file(store: Store, tmp_path: Path) -> None:
    audit_id = begun(store)
    nested = STARTED.model_copy(
        update={
            "request": {"args": [f"--hub_token={TOKEN}", {"line\n" + TOKEN: "key"}]},
            "workload_name": f"line one\n{TOKEN}",
        }
    )
    event = store.append(audit_id, nested)
    assert event is not None
    assert TOKEN not in event.model_dump_json()
    assert "line one\n[redacted]" in event.data["workload_name"]
    store.close()
    for path in (tmp_path / "data").rglob("*"):
        assert TOKEN.encode() not in path.read_bytes(), path


def test_readers_wake_up_when_something_is_written(store: Store) -> None:
    audit_id = begun(store)
    threading.Timer(0.1, store.append, (audit_id, ThoughtData(text="now"))).start()
    with ends(60):
        found = store.follow(audit_id, 0, timeout=600)
    assert [event.data["text"] for event in found] == ["now"]
    assert store.follow(audit_id, 1, timeout=0.05) == []


def test_following_an_ended_audit_answers_at_once(store: Store) -> None:
    audit_id = begun(store)
    store.append(audit_id, CancelledData(text="stopped"))
    with ends(60):
        assert len(store.follow(audit_id, 0, timeout=600)) == 1
        assert store.follow(audit_id, 1, timeout=600) == []


def test_the_owner_token_is_kept_as_a_hash(store: Store, tmp_path: Path) -> None:
    audit_id, token = new_secret(), new_secret()
    store.create(audit_id, token)
    assert store.owned_by(audit_id, token)
    assert not store.owned_by(audit_id, new_secret())
    assert not store.owned_by(audit_id, None)
    store.close()
    for path in (tmp_path / "data").iterdir():
        assert token.encode() not in path.read_bytes()


def test_only_the_user_can_read_the_folder(store: Store, tmp_path: Path) -> None:
    begun(store)
    folder = tmp_path / "data"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("text", ["", "../../etc", "a" * 31, "A" * 32, "a" * 32 + "\n", "' OR 1=1"])
def test_what_is_no_id_never_touches_the_disk(store: Store, text: str) -> None:
    with pytest.raises(UnknownName):
        check_audit_id(text)
    with pytest.raises(UnknownName):
        store.events(text)


def test_an_unknown_id_says_so(store: Store) -> None:
    with pytest.raises(UnknownName, match="no audit"):
        store.events(new_secret())
    with pytest.raises(UnknownName, match="no audit"):
        store.append(new_secret(), LogData(text="x"))


def test_summaries_are_newest_first_and_only_those_asked_for(store: Store) -> None:
    ids = [begun(store) for _ in range(3)]
    store.append(ids[1], STARTED)
    assert [summary.audit_id for summary in store.summaries()] == ids[::-1]
    some = store.summaries([ids[1], new_secret()])
    assert [(s.audit_id, s.status, s.workload_name) for s in some] == [
        (ids[1], "running", "train.yml")
    ]


def test_deleting_removes_the_events_too(store: Store, tmp_path: Path) -> None:
    audit_id = begun(store)
    store.append(audit_id, STARTED)
    store.delete(audit_id)
    base = sqlite3.connect(tmp_path / "data" / "audits.sqlite3")
    assert base.execute("SELECT COUNT(*) FROM events").fetchone() == (0,)
    base.close()


def test_a_replay_prints_the_same_bytes(store: Store, tmp_path: Path) -> None:
    audit_id = begun(store)
    printed = [
        line(event)
        for event in (store.append(audit_id, STARTED), store.append(audit_id, LogData(text="é\n")))
        if event
    ]
    store.close()
    again = [line(event) for event in replay(Store(tmp_path / "data"), audit_id)]
    assert again == printed
    assert [json.loads(text)["seq"] for text in again] == [1, 2]


def test_a_folder_that_cannot_be_written_is_a_set_up_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="GOBLIN_DATA_DIR"):
        Store(tmp_path / "file" / "data")
    (tmp_path / "audits.sqlite3").write_text("this is no database, and long enough to be read")
    with pytest.raises(SetupError, match="GOBLIN_DATA_DIR"):
        Store(tmp_path)
