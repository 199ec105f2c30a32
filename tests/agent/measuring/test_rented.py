"""Audits on rented machines as their owner sees them: asked, billed, stopped when orphaned."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from agent.api import report_of
from agent.jobs import Jobs
from agent.measuring.rented import stop_orphans
from agent.settings import Settings, read_settings
from audit.log.ids import new_secret
from audit.log.recovery import INTERRUPTED
from audit.log.store import Store
from audit.records.errors import UserError
from audit.records.events import StartedData
from tests.agent.training_files import STOPS, request_for, wait_for
from tests.runner.remote.jobs_service import TOKEN, Job, service
from tests.runner.remote.test_hf_jobs import figures, good


def settings_for(folder: Path, url: str, **more: str) -> Settings:
    stated = {"GOBLIN_DATA_DIR": str(folder), "GOBLIN_RUNNER": "hf_jobs", "HF_ENDPOINT": url}
    return read_settings({**stated, "HF_TOKEN": TOKEN, **more})


def rent(jobs: Jobs, **wishes: object) -> str:
    asked = request_for(STOPS, runner="hf_jobs", **{"hardware": "a10g", "always": True, **wishes})
    return jobs.start(asked).audit_id


def test_an_audit_is_measured_on_the_rented_card(tmp_path: Path) -> None:
    with service(play=good) as there:
        jobs = Jobs(settings_for(tmp_path, there.url))
        audit_id = rent(jobs, max_usd=1.0)
        events = wait_for(jobs, audit_id)
        jobs.close()
        report = report_of(events[-1])
        assert report.before is not None
        assert report.before.provenance == "measured"
        assert report.before.runner == "hf_jobs"
        assert [job.spec["labels"]["goblin-audit"] for job in there.jobs.values()] == [audit_id] * 2
        assert TOKEN not in json.dumps([event.model_dump(mode="json") for event in events])


def test_the_same_audit_again_rents_nothing_and_asks_nobody(tmp_path: Path) -> None:
    with service(play=good) as there:
        jobs = Jobs(settings_for(tmp_path, there.url))
        wait_for(jobs, rent(jobs, max_usd=1.0))
        again = wait_for(jobs, rent(jobs, always=False, max_usd=0.01))
        other = wait_for(jobs, rent(jobs, max_usd=1.0, steps=7))
        jobs.close()
        assert len(there.jobs) == 4, "the third has other steps"
    assert "approval_required" not in [event.type for event in again]
    said = [notice.message for notice in report_of(again[-1]).notices]
    assert any("on a rented machine of this kind" in one and "costs nothing" in one for one in said)
    assert not any("costs nothing" in one.message for one in report_of(other[-1]).notices)


def test_the_price_names_the_machine_its_rate_and_what_it_assumes(tmp_path: Path) -> None:
    with service(play=good) as there:
        jobs = Jobs(settings_for(tmp_path, there.url))
        started = jobs.start(request_for(STOPS, runner="hf_jobs", hardware="a10g"))
        while jobs.pending(started.audit_id) is None:
            time.sleep(0.05)
        pending = jobs.pending(started.audit_id)
        assert pending is not None
        assert pending.note.startswith(
            "at most, on a10g-small of Hugging Face Jobs ($1.00 an hour)"
        )
        assert "not run against the live service" in pending.note
        jobs.cancel(started.audit_id, started.owner_token)
        wait_for(jobs, started.audit_id)
        jobs.close()


def test_over_the_cap_and_unasked_nothing_is_rented(tmp_path: Path) -> None:
    with service(play=good) as there:
        jobs = Jobs(settings_for(tmp_path, there.url))
        started = jobs.start(
            request_for(STOPS, runner="hf_jobs", hardware="a10g", always=True, max_usd=0.1)
        )
        while jobs.pending(started.audit_id) is None:
            time.sleep(0.05)
        pending = jobs.pending(started.audit_id)
        assert pending is not None
        assert pending.usd == pytest.approx(2 * 19 * 0.0167)
        jobs.cancel(started.audit_id, started.owner_token)
        wait_for(jobs, started.audit_id)
        jobs.close()
        assert not there.jobs


def test_an_amd_card_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with service(play=good) as there:
        jobs = Jobs(settings_for(tmp_path, there.url))
        last = wait_for(jobs, rent(jobs, hardware="mi300x"))[-1]
        jobs.close()
    assert last.type == "error"
    assert "no AMD card" in last.data["message"]
    assert "--runner local" in last.data["remedy"]
    assert not there.jobs


def test_a_cancelled_audit_stops_its_job(tmp_path: Path) -> None:
    def endless(job: Job) -> tuple[list[str], str, None]:
        return job.result(figures(job))[:-1], "RUNNING", None

    with service(play=endless) as there:
        jobs = Jobs(settings_for(tmp_path, there.url))
        started = jobs.start(
            request_for(STOPS, runner="hf_jobs", hardware="a10g", always=True, max_usd=9.0)
        )
        while not there.jobs:
            time.sleep(0.05)
        jobs.cancel(started.audit_id, started.owner_token)
        assert wait_for(jobs, started.audit_id)[-1].type == "cancelled"
        jobs.close()
        assert there.only().stage == "CANCELED"


def test_a_space_rents_nothing_for_its_visitors(tmp_path: Path) -> None:
    with service(play=good) as there:
        jobs = Jobs(settings_for(tmp_path, there.url, SPACE_ID="ada/goblin"))
        with pytest.raises(UserError, match="not enabled here"):
            rent(jobs)
        jobs.close()
        assert there.asked == []


def test_without_a_token_the_audit_says_so(tmp_path: Path) -> None:
    jobs = Jobs(settings_for(tmp_path, "http://127.0.0.1:9", HF_TOKEN=""))
    last = wait_for(jobs, rent(jobs))[-1]
    jobs.close()
    assert "there is no HF_TOKEN" in last.data["message"]


def test_the_jobs_of_interrupted_audits_are_cancelled(tmp_path: Path) -> None:
    def endless(job: Job) -> tuple[list[str], str, None]:
        return [], "RUNNING", None

    with service(play=endless) as there:
        settings = settings_for(tmp_path, there.url)
        store, ids = Store(tmp_path), []
        for runner in ("hf_jobs", "fake"):
            audit_id = new_secret()
            ids.append(audit_id)
            store.create(audit_id, new_secret())
            started = StartedData(
                workload_name="a.yml", files=("a.yml",), hardware="a10g", hardware_origin="stated",
                gpus=1, nodes=1, backend="rules", runner=runner, request={}, prompt="",
            )  # fmt: skip
            store.append(audit_id, started)
            store.append(audit_id, INTERRUPTED)
            labels = {"app": "gpu-goblin", "goblin-audit": audit_id, "goblin-run": "x"}
            job = Job(runner, "ada", {"flavor": "l4x1", "labels": labels}, "RUNNING")
            there.jobs[job.id] = job
        thread = stop_orphans(store, settings, ids)
        assert thread is not None
        thread.join()
        assert there.jobs["hf_jobs"].stage == "CANCELED"
        assert there.jobs["fake"].stage == "RUNNING"
        assert stop_orphans(store, settings, ids[1:]) is None
        store.close()
