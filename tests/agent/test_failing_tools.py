"""What goes wrong inside a tool, and what a cancel finds there; the numbers are failure cases."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.jobs import Jobs
from agent.named import RUNNERS
from agent.services import Services
from agent.settings import Settings
from agent.stages import STAGE
from agent.state import AuditState
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.errors import RunFailed
from audit.records.events import STAGES, Event, StageData
from audit.records.spec import Spec
from kb.rulebook import load_rules
from runner.fake import FakeRunner
from tests.agent.model_audits import (
    KEY,
    WIRES,
    play,
    report,
    script,
    settings_for,
    told,
    why,
)
from tests.agent.provider import Answer, Call, provider
from tests.agent.training_files import STOPS, request_for, wait_for

both = pytest.mark.parametrize("wire", WIRES)
NEVER_EDITED = ("output_dir", "push_to_hub", "hub_model_id", "report_to", "datasets", "model_id")


def stage(name: str, monkeypatch: pytest.MonkeyPatch, does: Callable[[int], None]) -> None:
    """Have a stage do something first; it is told how often it was called."""
    real, calls = STAGE[name], [0]  # type: ignore[index]

    def wrapped(state: AuditState, services: Services) -> AuditState:
        calls[0] += 1
        does(calls[0])
        return real(state, services)

    monkeypatch.setitem(STAGE, name, wrapped)  # type: ignore[arg-type]


def done(events: list[Event]) -> list[str]:
    return [data["stage"] for data in told(events, "stage") if data["state"] == "done"]


@both
def test_20_no_patch_reaches_where_a_run_writes_or_what_it_trains(wire: str) -> None:
    """A model names findings, never fields; and no finding's own edit goes there."""
    wish = {"workload_id": "wl_1", "finding_ids": ["f_1"], "edits": {"output_dir": "/", "x": 1}}
    events, _ = play(wire, [*script(0, 1, 2), Answer(calls=(Call("propose_patch", wish),))])
    refused = [data for data in told(events, "tool_result") if not data["ok"]]
    assert "edits" in refused[0]["text"]
    assert not {edit.field for edit in report(events).patch.edits} & set(NEVER_EDITED)
    edited = {edit.field for rule in load_rules() for edit in rule.edits}
    assert "per_device_train_batch_size" in edited
    assert not edited & set(NEVER_EDITED)


@both
def test_51_a_tool_that_raises_is_an_answer_and_the_audit_goes_on(
    wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(call: int) -> None:
        if call == 1:
            message = f"unexpected {KEY}"
            raise ZeroDivisionError(message)

    stage("profile", monkeypatch, breaks)
    events, server = play(wire, [*script(0, 1), *script()[1:]])
    failed = told(events, "tool_result")[1]
    assert (failed["ok"], failed["text"]) == (
        False,
        "profile_run failed inside (ZeroDivisionError)",
    )
    assert (report(events).tier, report(events).completed_by) == (0, "model")
    assert done(events) == list(STAGES)
    everything = "".join(event.model_dump_json() for event in events)
    assert "unexpected" not in everything
    assert "Traceback" not in everything
    assert not any(b"unexpected" in body for body in server.bodies)


def test_52_what_is_no_json_is_null_in_the_log() -> None:
    store, audit_id = Store(None), new_secret()
    store.create(audit_id, "owner")
    odd = {"figure": math.nan, "more": [math.inf, -math.inf], "fine": 1.5}
    store.append(audit_id, StageData(stage="profile", state="done", result=odd))
    (event,) = store.events(audit_id)
    assert event.data["result"] == {"figure": None, "more": [None, None], "fine": 1.5}
    json.loads(event.model_dump_json(), parse_constant=pytest.fail)
    store.close()


@both
def test_53_a_tool_that_hangs_is_stopped(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hanging thread itself ends; the figures of a run that hung are a failed run."""
    monkeypatch.setattr("agent.run.LIMITS", {"benchmark": 0.3})
    stopped = threading.Event()

    def hangs(self: FakeRunner, run_id: str) -> Iterator[object]:
        try:
            while True:
                time.sleep(0.001)
        finally:
            stopped.set()
        yield  # a generator, as events are

    monkeypatch.setattr(FakeRunner, "events", hangs)
    start = time.monotonic()
    events, _ = play(wire, script())
    assert time.monotonic() - start < 5
    assert stopped.wait(1)
    assert report(events).comparison.speedup is None
    assert "longer than 0.3 s" in str(report(events).before)
    assert "longer than 0.3 s" in told(events, "tool_result")[4]["text"]
    assert not any(thread.name == "watch" for thread in threading.enumerate())


def test_53_a_reading_that_hangs_ends_the_audit_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.run.STAGE_SECONDS", 0.3)
    stage("parse", monkeypatch, lambda _: _spin())
    events, _ = play("openai", script())
    assert (events[-1].type, events[-1].data["kind"]) == ("error", "input")
    assert "did not end (it took longer than 0.3 s)" in events[-1].data["message"]


def _spin() -> None:
    while True:
        time.sleep(0.001)


class NoRoom(FakeRunner):
    """A runner on which the patched run does not fit."""

    def submit(self, spec: Spec) -> str:
        if any(arm.name == "patched" for arm in spec.arms):
            message = "out of memory at step 3"
            raise RunFailed(message)
        return super().submit(spec)


@both
def test_54_out_of_memory_is_a_result(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNNERS, "fake", "tests.agent.test_failing_tools:NoRoom")
    events, _ = play(wire, script())
    assert (report(events).tier, report(events).completed_by) == (0, "model")
    answer = told(events, "tool_result")[5]
    assert answer["ok"]
    assert "out of memory at step 3" in answer["text"]
    assert report(events).comparison.verdict == "failed"
    assert report(events).comparison.speedup is None
    assert report(events).patch.edits


@both
def test_61_a_cancel_inside_a_tool_ends_it_within_a_second(
    wire: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = threading.Event()

    def hangs(_: int) -> None:
        inside.set()
        _spin()

    stage("profile", monkeypatch, hangs)
    with provider(*script(), *script()) as server:
        jobs = Jobs(Settings(data_dir=tmp_path, models=settings_for(server.url)))
        try:
            started = jobs.start(request_for(STOPS, backend=wire))
            assert inside.wait(10)
            asked = time.monotonic()
            jobs.cancel(started.audit_id, started.owner_token)
            events = wait_for(jobs, started.audit_id)
            assert time.monotonic() - asked < 1
            assert events[-1].type == "cancelled"
            assert [e.data["state"] for e in events if e.type == "stage"][-1] == "cancelled"
            asked_for, answered = (
                [e.data["call_id"] for e in events if e.type == kind]
                for kind in ("tool_call", "tool_result")
            )
            assert asked_for == answered
            monkeypatch.undo()
            server.script = script()
            again = jobs.start(request_for(STOPS, backend=wire))
            assert wait_for(jobs, again.audit_id)[-1].type == "final_report"
        finally:
            jobs.close()


def test_62_a_closed_tab_stops_nothing(tmp_path: Path) -> None:
    """A reader that goes away in the middle leaves the audit as it is; the link reads on."""
    slow = [Answer(calls=turn.calls, delay=0.02) for turn in script()]
    with provider(*slow) as server:
        jobs = Jobs(Settings(data_dir=tmp_path, models=settings_for(server.url)))
        try:
            started = jobs.start(request_for(STOPS, backend="openai"))

            def page() -> Iterator[Event]:
                after = 0
                while True:
                    for event in jobs.follow(started.audit_id, after):
                        after = event.seq
                        yield event

            reading = page()
            first = next(reading)
            reading.close()
            assert first.type == "started"
            assert wait_for(jobs, started.audit_id)[-1].type == "final_report"
        finally:
            jobs.close()


@both
def test_18_figures_that_no_tool_gave_are_flagged(wire: str) -> None:
    """They stand in the log and are named in the report, and they are nobody's result."""
    turns = script()
    turns[3] = Answer(text="This makes it 9.9x faster, 123.4 tokens/s.", calls=turns[3].calls)
    events, _ = play(wire, turns)
    assert report(events).completed_by == "model"
    notices = [notice.message for notice in report(events).notices]
    assert any("9.9x, 123.4 tokens" in message for message in notices)
    assert any("No tool has given" in data["text"] for data in told(events, "log"))
    assert "9.9" not in report(events).comparison.model_dump_json()
    assert "every figure is the tools' own" in why(events)
