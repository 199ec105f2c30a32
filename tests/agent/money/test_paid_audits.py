"""Audits whose runs cost money, as their owner sees them: asked once for both runs, never twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from agent.api import report_of
from agent.backends import ToolCall, Turn
from agent.backends.scripted import ScriptedBackend
from agent.commands.approve import unasked
from agent.drive import drive
from agent.jobs import Jobs, Started
from agent.loop import run_audit
from agent.money.approvals import Decision
from agent.named import RUNNERS
from agent.settings import Settings
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.errors import UserError
from audit.records.events import ApprovalRequiredData, Event
from tests.agent import priced
from tests.agent.model_audits import STEPS
from tests.agent.training_files import STOPS, WELL_TUNED, request_for, wait_for, written

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setitem(RUNNERS, "priced", "tests.agent.priced:PricedRunner")
    monkeypatch.setattr(priced, "SUBMITTED", [])
    monkeypatch.setattr(priced, "QUOTED", [])
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
    assert all(spec in priced.QUOTED for spec in priced.SUBMITTED), "a kept result would be missed"
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


def test_what_is_kept_is_not_asked_for(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "priced", "tests.agent.priced:KeptRunner")
    events = wait_for(jobs, start(jobs, max_usd=0.01).audit_id)
    assert report_of(events[-1]).before is not None
    assert "approval_required" not in [event.type for event in events]
    said = [event.data["text"] for event in events if event.type == "log"]
    assert "No approval is needed: from cache, costs nothing." in said


def test_half_of_a_pair_that_is_kept_costs_the_other_half(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNNERS, "priced", "tests.agent.priced:HalfKeptRunner")
    started = start(jobs)
    data = asked(jobs, started).data
    assert data["usd"] == 10
    assert data["note"] == (
        "a dollar for ten steps of an arm; 1 of 2 runs: from cache, costs nothing"
    )
    decide(jobs, started, Decision(False))
    wait_for(jobs, started.audit_id)


def test_a_file_that_cannot_run_is_not_asked_for(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNNERS, "priced", "tests.agent.priced:UnknownRunner")
    events = wait_for(jobs, start(jobs).audit_id)
    assert "approval_required" not in [event.type for event in events]
    assert "size of the model is not known" in report_of(events[-1]).comparison.reason


def test_a_model_is_told_the_owners_words(jobs: Jobs, tmp_path: Path) -> None:
    store = Store(tmp_path / "direct")
    audit_id = new_secret()
    store.create(audit_id, new_secret())
    backend = ScriptedBackend(
        [
            Turn(
                tool_calls=(ToolCall(id=str(n), tool=name, arguments=given),),
                stop_reason="tool_use",
            )
            for n, (name, given) in enumerate(STEPS)
        ]
    )
    events = run_audit(
        request_for(STOPS, runner="priced"),
        store,
        audit_id,
        backend=backend,
        ask=lambda required: Decision(False, "too dear; use fewer\x07 steps"),
    )
    last = list(drive(events))[-1]
    store.close()
    told = [message for message in backend.seen[-1] if "too dear; use fewer steps" in str(message)]
    assert told, backend.seen[-1][-1]
    assert last.type == "final_report"
    assert priced.SUBMITTED == []


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


def test_an_agent_states_a_cap_and_sees_what_the_price_assumes(jobs: Jobs) -> None:
    from ui.api import Api

    api = Api(jobs, Settings(runner="priced"))
    first = api.audit({"train.yml": STOPS}, max_usd=12)
    offer = first["approval"]
    assert offer["note"] == "a dollar for ten steps of an arm"
    assert (offer["cap_usd"], offer["spent_usd"]) == (12, 0)
    assert "$12.00 of $12 are left" in offer["trouble"]
    names = {name: first[name] for name in ("audit_id", "owner_token")}
    junk = api.approve(**names, call_id=offer["call_id"], approved=True, time_limit="soon")
    assert "no time limit" in junk["approval"]["trouble"]
    call_id = junk["approval"]["call_id"]
    last = api.approve(**names, call_id=call_id, approved=True, steps=20, payer="lab")
    assert [(spec.steps, spec.terms and spec.terms.namespace) for spec in priced.SUBMITTED] == [
        (20, "lab"), (20, "lab"),
    ]  # fmt: skip
    assert last["report"]["before"]["steps"] == 20


@pytest.mark.parametrize(
    ("typed", "steps", "said"),
    [
        ("hm\nsteps=20 time=10m\n", 20, "was not understood"),
        ("80\ny\n", 80, "for about $24.00"),
        ("n too dear\n", None, "A dollar for ten steps of an arm."),
        ("time=soon\n\n", None, "'soon' is no time limit"),
    ],
)
def test_at_a_terminal_terms_can_be_changed(
    tmp_path: Path, typed: str, steps: int | None, said: str
) -> None:
    file = written(tmp_path, "a.yml", STOPS)
    ours, theirs = os.openpty()
    command = (
        "import sys; from agent.named import RUNNERS;"
        "RUNNERS['priced'] = 'tests.agent.priced:PricedRunner';"
        "from agent.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["audit", str(file), "--runner", "priced", "--format", "json"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words],
        cwd=ROOT,
        env={**os.environ, "GOBLIN_DATA_DIR": str(tmp_path / "data")},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        told, _ = process.communicate(timeout=120)
        shown = os.read(ours, 20_000).decode()
        os.close(ours)
    report = json.loads(told)
    assert said in " ".join(shown.split())
    if steps is None:
        assert report["before"] is None
        assert "not approved" in report["comparison"]["reason"]
    else:
        assert report["before"]["steps"] == steps


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "use --yes"),
        (
            {"trouble": "it may cost $9.00, and $1.00 of $1 are left"},
            r"\$1.00 of \$1 are left, and",
        ),
        ({"usd": None}, "the price is not known, and nobody could be asked"),
    ],
)
def test_where_nobody_sits_the_reason_is_the_one_that_counts(changes: Any, told: str) -> None:
    given = {"call_id": "pair:1", "text": "Run.", "seconds": 60.0, "usd": 9.0, **changes}
    assert re.search(told, unasked(ApprovalRequiredData(**given)))


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
