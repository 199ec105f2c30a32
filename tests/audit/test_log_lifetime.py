"""Uploads, retention, and audits whose process was really killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.log.ids import new_secret
from audit.log.process import is_alive, this_process
from audit.log.recovery import close_interrupted
from audit.log.retention import delete_old
from audit.log.store import Store
from audit.log.uploads import UploadFolder
from audit.records.errors import UnknownName
from audit.records.events import CancelledData
from audit.records.upload import Upload

ROOT = Path(__file__).resolve().parents[2]
RUNS_FOREVER = """
import sys, time
from pathlib import Path
from audit.log.store import Store
from audit.records.events import LogData
store = Store(Path(sys.argv[1]))
store.create(sys.argv[2], "owner")
store.append(sys.argv[2], LogData(text="working"))
print("ready", flush=True)
time.sleep(60)
"""


def test_bytes_come_back_as_they_went_in_and_are_private(tmp_path: Path) -> None:
    folder, audit_id = UploadFolder(tmp_path), new_secret()
    files = (Upload("../../x.yml", b"\xff\x00"), Upload("x.yml", b""))
    folder.save(audit_id, files)
    assert folder.read(audit_id) == files
    place = tmp_path / "uploads" / audit_id
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert sorted(path.name for path in place.iterdir()) == ["0", "1", "names.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    folder.delete(audit_id)
    assert not place.exists()
    assert folder.read(audit_id) == ()
    with pytest.raises(UnknownName):
        folder.read("../../etc")


def test_old_audits_go_with_their_bytes_and_running_ones_stay(tmp_path: Path) -> None:
    store, folder = Store(tmp_path), UploadFolder(tmp_path)
    ended, running, orphan = new_secret(), new_secret(), new_secret()
    for audit_id in (ended, running):
        store.create(audit_id, "owner")
        folder.save(audit_id, [Upload("x.yml", b"x")])
    folder.save(orphan, [Upload("x.yml", b"x")])
    store.append(ended, CancelledData(text="stopped"))
    assert delete_old(store, folder, keep_days=30) == []
    assert sorted(folder.audits()) == sorted([ended, running])
    later = datetime.now(UTC) + timedelta(days=31)
    assert delete_old(store, folder, keep_days=30, now=later) == [ended]
    assert folder.audits() == [running]
    assert [summary.audit_id for summary in store.summaries()] == [running]


def test_an_audit_of_a_killed_process_is_interrupted_and_a_live_one_is_not(tmp_path: Path) -> None:
    audit_id = new_secret()
    process = subprocess.Popen(
        [sys.executable, "-c", RUNS_FOREVER, str(tmp_path), audit_id],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    store = Store(tmp_path)
    mine = new_secret()
    store.create(mine, "owner")
    assert close_interrupted(store) == []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert close_interrupted(store) == [audit_id]
    last = store.events(audit_id)[-1]
    assert (last.type, last.data["kind"], last.data["remedy"]) == (
        "error",
        "interrupted",
        "Run it again.",
    )
    assert store.status(mine) == "waiting"
    assert close_interrupted(store) == []


def test_a_process_is_more_than_its_number() -> None:
    pid, start, boot = this_process().split(":")
    assert is_alive(this_process())
    assert not is_alive(f"{pid}:{int(start) + 1}:{boot}")
    assert not is_alive(f"{pid}:{start}:another-boot")
    assert not is_alive("")
