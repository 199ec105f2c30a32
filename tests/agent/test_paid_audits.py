"""Audits whose runs cost money, as their owner sees them: asked once for both runs, never twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from agent.api import report_of
from agent.approvals import Decision
from agent.jobs import Jobs, Started
from agent.named import RUNNERS
from agent.settings import Settings
from audit.records.errors import UserError
from audit.records.events import Event
from tests.agent import priced
from tests.agent.training_files import STOPS, WELL_TUNED, request_for, wait_for, written

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setitem(RUNNERS, "priced", "tests.agent.priced:PricedRunner")
    monkeypatch.setattr(priced, "SUBMITTED", [])
    opened = Jobs(Settings(data_dir=tmp_path, runner="priced"))
    yield opened
    opened.close()


def start(jobs: Jobs, text: str = STOPS, **wishes: Any) -> Started:
    return jobs.start(request_for(text, runner="priced", **wishes))


def asked(jobs: Jobs, started: Started, count: int = 1) -> Event:
    """The approval that waits now, the `count`th of the audit."""
    for _ in range(200):
        found = [one for one in jobs.events(started.audit_id) if one.type == "approval_required"]
        if len(found) == count and jobs.pending(started.audit_id) is not None:
            return found[-1]
        time.sleep(0.05)
    raise AssertionError(jobs.events(started.audit_id)[-1])


def decide(jobs: Jobs, started: Started, decision: Decision, count: int = 1) -> None:
    call_id = str(asked(jobs, started, count).data["call_id"])
    jobs.decide(started.audit_id, started.owner_token, call_id, decision)


def test_both_runs_are_approved_as_one(jobs: Jobs) -> None:
    started = start(jobs)
    question = asked(jobs, started)
    assert question.data["usd"] == 15  # 5 for before alone, 10 for both arms
    assert priced.SUBMITTED == []
    decide(jobs, started, Decision(True))
    events = wait_for(jobs, started.audit_id)
    assert report_of(events[-1]).comparison.speedup is not None
    assert [event.type for event in events].count("approval_required") == 1
    assert [event.type for event in events].count("approval_decided") == 1
    assert len(priced.SUBMITTED) == 2
    assert any("more than $10" in str(event.data.get("text")) for event in events)


def test_changed_terms_hold_for_both_runs(jobs: Jobs) -> None:
    started = start(jobs)
    decide(jobs, started, Decision(True, changes={"steps": 20, "timeout_s": "10m"}))
    report = report_of(wait_for(jobs, started.audit_id)[-1])
    assert [spec.steps for spec in priced.SUBMITTED] == [20, 20]
    assert [spec.stop.seconds for spec in priced.SUBMITTED] == [600, 600]
    assert report.before is not None
    assert report.before.steps == 20


def test_declined_runs_are_no_projection_but_the_reason_in_the_owners_words(jobs: Jobs) -> None:
    started = start(jobs)
    decide(jobs, started, Decision(False, "too dear"))
    report = report_of(wait_for(jobs, started.audit_id)[-1])
    assert priced.SUBMITTED == []
    assert report.before is None
    assert report.comparison.verdict == "not_comparable"
    assert "not approved: its owner declined: too dear" in report.comparison.reason
    assert report.patch.diff  # the patch stands without figures


def test_a_decision_comes_once_and_from_the_owner(jobs: Jobs) -> None:
    started = start(jobs)
    call_id = str(asked(jobs, started).data["call_id"])
    with pytest.raises(UserError, match="belongs to somebody else"):
        jobs.decide(started.audit_id, "another", call_id, Decision(True))
    jobs.decide(started.audit_id, started.owner_token, call_id, Decision(True))
    with pytest.raises(UserError, match="nothing waits"):
        jobs.decide(started.audit_id, started.owner_token, call_id, Decision(True))
    wait_for(jobs, started.audit_id)
    with pytest.raises(UserError, match="nothing waits"):
        jobs.decide(started.audit_id, started.owner_token, call_id, Decision(False))
    assert len(priced.SUBMITTED) == 2


def test_cancelling_while_it_waits_ends_it(jobs: Jobs) -> None:
    started = start(jobs)
    asked(jobs, started)
    jobs.cancel(started.audit_id, started.owner_token)
    assert wait_for(jobs, started.audit_id)[-1].type == "cancelled"
    assert priced.SUBMITTED == []


def test_a_new_run_abandons_what_waits(jobs: Jobs) -> None:
    started = start(jobs)
    asked(jobs, started)
    assert not jobs.abandon(started.audit_id, "another")
    assert jobs.abandon(started.audit_id, started.owner_token)
    report = report_of(wait_for(jobs, started.audit_id)[-1])
    assert "another run was started" in report.comparison.reason


def test_a_standing_yes_holds_under_the_cap_only(jobs: Jobs) -> None:
    free = wait_for(jobs, start(jobs, always=True, max_usd=15.0).audit_id)
    assert "approval_required" not in [event.type for event in free]
    started = start(jobs, always=True, max_usd=14.0)
    assert "$14.00 of $14 are left" in str(asked(jobs, started).data["trouble"])
    decide(jobs, started, Decision(True))
    report = report_of(wait_for(jobs, started.audit_id)[-1])
    assert report.before is None
    assert len(priced.SUBMITTED) == 2


def test_a_machine_that_is_gone_is_offered_anew(jobs: Jobs) -> None:
    started = start(jobs)
    decide(jobs, started, Decision(True, changes={"flavor": "gone"}))
    assert "no machine called gone" in str(asked(jobs, started, 2).data["trouble"])
    decide(jobs, started, Decision(True), 2)
    assert report_of(wait_for(jobs, started.audit_id)[-1]).before is not None


def test_with_nothing_to_change_one_run_is_asked_for(jobs: Jobs) -> None:
    started = start(jobs, WELL_TUNED)
    assert asked(jobs, started).data["usd"] == 5
    decide(jobs, started, Decision(True))
    wait_for(jobs, started.audit_id)
    assert len(priced.SUBMITTED) == 1


def test_an_agent_is_handed_the_question_and_answers_it(jobs: Jobs) -> None:
    from ui.api import Api

    api = Api(jobs, Settings(runner="priced"))
    first = api.audit({"train.yml": STOPS})
    assert "report" not in first
    assert first["approval"]["usd"] == 15
    names = {name: first[name] for name in ("audit_id", "owner_token")}
    call_id = first["approval"]["call_id"]
    dearer = api.approve(**names, call_id=call_id, approved=True, steps=80)
    assert dearer["approval"]["usd"] == 24
    last = api.approve(**names, call_id=dearer["approval"]["call_id"], approved=True)
    assert last["report"]["before"]["steps"] == 80
    with pytest.raises(UserError, match="nothing waits"):
        api.approve(**names, call_id=call_id, approved=True)


def test_at_a_pipe_nobody_is_asked_and_nothing_runs(tmp_path: Path) -> None:
    if find_spec("torch") is None:
        pytest.skip("the local runner needs torch, which is absent here")
    file = written(tmp_path, "a.yml", STOPS)
    done = subprocess.run(
        [sys.executable, "-m", "agent", "audit", str(file), "--runner", "local"],
        cwd=ROOT,
        env={
            **os.environ,
            "GOBLIN_DATA_DIR": str(tmp_path),
            "GOBLIN_LOCAL_USD_PER_GPU_HOUR": "2",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "not approved: its owner declined: nobody could be asked: use --yes" in said
