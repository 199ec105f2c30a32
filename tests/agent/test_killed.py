"""An audit whose process is killed with signal 9; `benchmarks/kill9.py` does that 200 times."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from agent.jobs import Jobs
from agent.settings import Settings
from audit.records.events import TERMINAL
from tests.agent.training_files import STOPS, request_for, wait_for, written

ROOT = Path(__file__).resolve().parents[2]


def test_64_a_killed_audit_reads_on_and_ends_once(tmp_path: Path) -> None:
    file = written(tmp_path, "train.yml", STOPS)
    command = [sys.executable, "-m", "agent", "audit", str(file), "--json"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={"GOBLIN_DATA_DIR": str(tmp_path / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert b'"started"' in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    environment = {"GOBLIN_DATA_DIR": str(tmp_path / "data")}
    listed = subprocess.run(
        [*command[:3], "list"], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert b": running" not in listed.stdout
    for _ in range(2):  # the second restart finds nothing left to close
        jobs = Jobs(Settings(data_dir=tmp_path / "data"))
        (summary,) = jobs.list()
        events = jobs.events(summary.audit_id)
        jobs.close()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.type in TERMINAL for event in events].count(True) == 1
        assert events[-1].terminal
    if events[-1].type == "error":
        assert events[-1].data["kind"] == "interrupted"
        assert events[-1].data["remedy"] == "Run it again."
    jobs = Jobs(Settings(data_dir=tmp_path / "data"))
    started = jobs.start(request_for(STOPS))
    assert wait_for(jobs, started.audit_id)[-1].type == "final_report"
    jobs.close()
