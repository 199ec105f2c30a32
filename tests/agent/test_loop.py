"""The loop: every ending, every place where a backend can stop, and what a tool answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agent.api import audit, report_of
from agent.backends import Backend, Message, ToolCall, Turn
from agent.backends.rules import RulesBackend
from agent.backends.scripted import ScriptedBackend
from agent.drive import drive
from agent.loop import run_audit
from agent.request import AuditRequest
from agent.tools import TOOLS
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.base import Json
from audit.records.errors import GoblinError, InputError, UnknownName
from audit.records.events import STAGES, TERMINAL, Event
from audit.records.report import Report
from tests.agent.training_files import STOPS, UNKNOWN_MODEL, WELL_TUNED, request_for

STEPS: list[tuple[str, dict[str, Json]]] = [
    ("parse_config", {"upload_id": "upload_1"}),
    ("profile_run", {"workload_id": "wl_1"}),
    ("query_rocm_kb", {"workload_id": "wl_1", "question": "is tf32 fine on AMD"}),
    ("propose_patch", {"workload_id": "wl_1", "finding_ids": ["f_1", "f_2"]}),
    ("benchmark", {"workload_id": "wl_1"}),
    ("benchmark", {"workload_id": "wl_2"}),
    ("compare_runs", {"before_id": "bench_1", "after_id": "bench_2"}),
]
TIER_AFTER = [3, 3, 3, 3, 2, 2, 1, 0]
"""Tier when the backend stops after so many steps."""


def turns(steps: Sequence[tuple[str, dict[str, Json]]]) -> list[Turn]:
    return [
        Turn(
            text=f"step {number}",
            tool_calls=(ToolCall(f"c{number}", tool, arguments),),
            stop_reason="tool_use",
        )
        for number, (tool, arguments) in enumerate(steps)
    ]


def events_of(
    request: AuditRequest, backend: Backend | None = None, stop_at: int | None = None
) -> list[Event]:
    """Every event of one audit; `stop_at`: cancelled when asked for the n-th time."""
    store, audit_id, asked = Store(None), new_secret(), [0]
    store.create(audit_id, "owner")

    def cancelled() -> bool:
        asked[0] += 1
        return stop_at is not None and asked[0] >= stop_at

    given = list(drive(run_audit(request, store, audit_id, backend=backend, cancelled=cancelled)))
    assert given == store.events(audit_id)
    assert [event.type in TERMINAL for event in given] == [False] * (len(given) - 1) + [True]
    store.close()
    return given


def stages_done(events: Sequence[Event]) -> list[str]:
    return [
        event.data["stage"]
        for event in events
        if event.type == "stage" and event.data["state"] == "done"
    ]


@pytest.mark.parametrize("steps", range(8))
def test_a_report_always_comes_wherever_the_backend_stops(steps: int) -> None:
    request = request_for(STOPS, backend="scripted")
    events = events_of(request, ScriptedBackend(turns(STEPS[:steps])))
    report = report_of(events[-1])
    assert report.tier == TIER_AFTER[steps]
    assert report.completed_by == (
        "rules" if steps == 0 else "model" if steps == 7 else "model+rules"
    )
    assert stages_done(events) == list(STAGES)
    assert report.comparison.verdict == "faster"
    assert report.before is not None
    assert report.after is not None
    assert report.provenance == "projected"


def test_the_rules_drive_the_same_loop() -> None:
    events = events_of(request_for(STOPS))
    report = report_of(events[-1])
    assert (report.tier, report.completed_by) == (0, "rules")
    assert [event.data["tool"] for event in events if event.type == "tool_call"] == [
        tool for tool, _ in STEPS
    ]
    assert all(event.data["ok"] for event in events if event.type == "tool_result")
    assert stages_done(events) == list(STAGES)


def test_the_same_audit_twice_gives_the_same_report() -> None:
    first, second = (audit(request_for(STOPS)) for _ in range(2))
    assert first.model_copy(update={"seconds": 0.0}) == second.model_copy(update={"seconds": 0.0})


def test_an_event_loop_can_drive_it_too() -> None:
    async def run() -> list[Event]:
        store, audit_id = Store(None), new_secret()
        store.create(audit_id, "owner")
        return [event async for event in run_audit(request_for(STOPS), store, audit_id)]

    assert asyncio.run(run())[-1].type == "final_report"


def test_a_well_tuned_file_gets_no_edit_and_the_list_of_what_was_checked() -> None:
    report = audit(request_for(WELL_TUNED))
    assert not [edit for edit in report.patch.edits if edit.applied]
    assert report.patch.diff == ""
    assert report.after is None
    assert report.comparison.verdict == "no_difference"
    assert report.checked


def test_an_unknown_model_still_gets_findings_and_a_patch_but_no_figure() -> None:
    report = audit(request_for(UNKNOWN_MODEL))
    assert report.patch.diff
    assert not report.starts_as_written
    assert report.before is None
    assert report.after is None
    assert report.comparison.verdict == "not_comparable"
    assert "model" in report.comparison.reason.lower()
    assert all(
        finding.effect.value is None
        for finding in report.findings
        if finding.effect.basis == "derived"
    )


def test_the_baseline_of_a_file_that_does_not_start_has_only_the_fatal_edits() -> None:
    report = audit(request_for(STOPS))
    fatal = [finding for finding in report.findings if finding.stops_run]
    assert [finding.rule_id for finding in fatal] == ["precision.tf32_on_rocm"]
    assert report.findings[0] == fatal[0]
    assert not report.starts_as_written
    repaired = audit(request_for(STOPS.replace("tf32: true ", "tf32: false")))
    assert repaired.starts_as_written
    assert report.before == repaired.before


def test_a_cure_that_is_not_allowed_leaves_nothing_to_run() -> None:
    report = audit(request_for(STOPS, keep=frozenset({"tf32"})))
    assert report.before is None
    assert report.comparison.verdict == "not_comparable"
    assert "does not start" in report.comparison.reason
    edit = next(edit for edit in report.patch.edits if edit.field == "tf32")
    assert not edit.applied
    assert edit.reason


@pytest.mark.parametrize("chosen", [[], ["f_2"]])
def test_a_patch_without_the_cure_is_not_said_to_be_faster(chosen: list[str]) -> None:
    steps = [*STEPS[:3], ("propose_patch", {"workload_id": "wl_1", "finding_ids": chosen})]
    report = report_of(
        events_of(request_for(STOPS, backend="scripted"), ScriptedBackend(turns(steps)))[-1]
    )
    assert report.comparison.verdict == "not_comparable"
    assert "does not start" in report.comparison.reason
    assert report.after is None


@pytest.mark.parametrize("after", [1, 3, 5, 9, 12])
def test_a_cancel_ends_it_with_one_event_and_no_report(after: int) -> None:
    events = events_of(request_for(STOPS), stop_at=after)
    assert events[-1].type == "cancelled"
    calls = [event.data["call_id"] for event in events if event.type == "tool_call"]
    results = [event.data["call_id"] for event in events if event.type == "tool_result"]
    assert calls == results


def test_an_input_error_ends_it_and_names_the_place() -> None:
    events = events_of(request_for("base_model: [a\nbf16: true\n"))
    last = events[-1]
    assert (last.type, last.data["kind"], last.data["file"]) == ("error", "input", "train.yml")
    assert "line" in last.data["message"]
    failed = [event for event in events if event.type == "stage"][-1]
    assert (failed.data["stage"], failed.data["state"]) == ("parse", "failed")
    with pytest.raises(InputError, match=r"train\.yml"):
        audit(request_for("base_model: [a\nbf16: true\n"))


def test_what_can_be_refused_before_reading_is_refused() -> None:
    with pytest.raises(UnknownName, match="mi300x"):
        audit(request_for(STOPS, hardware="mi9000"))
    with pytest.raises(UnknownName, match="rules"):
        audit(request_for(STOPS, backend="oracle"))
    with pytest.raises(GoblinError, match="gpus"):
        audit(request_for(STOPS, gpus=0))
    with pytest.raises(InputError, match="no file"):
        audit(AuditRequest(uploads=()))
    upload = request_for(STOPS).uploads[0]
    with pytest.raises(InputError, match="two files"):
        audit(AuditRequest(uploads=(upload, upload)))


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_turns_are_limited_and_the_rules_finish(limit: int) -> None:
    report = report_of(
        events_of(
            request_for(STOPS, backend="scripted", max_turns=limit), ScriptedBackend(turns(STEPS))
        )[-1]
    )
    assert report.tier == TIER_AFTER[limit]


MISTAKES: list[tuple[str, dict[str, Json], str]] = [
    ("parse", {"upload_id": "upload_1"}, "parse_config"),
    ("parse_config", {"upload_id": "/etc/passwd"}, "upload_1"),
    ("parse_config", {}, "upload_id"),
    ("parse_config", {"upload_id": "upload_1", "steps": 5}, "steps"),
    ("parse_config", {"upload_id": None}, "upload_id"),
    ("profile_run", {"workload_id": "wl_7"}, "wl_1"),
    ("benchmark", {"workload_id": "wl_2"}, "wl_1"),
    ("propose_patch", {"workload_id": "wl_1", "finding_ids": ["f_99"]}, "f_99"),
    ("propose_patch", {"workload_id": "wl_1", "finding_ids": "all"}, "finding_ids"),
    ("compare_runs", {"before_id": "bench_1", "after_id": "bench_2"}, "bench_1"),
    ("compare_runs", {"before_id": 142, "after_id": 318}, "before_id"),
]


@pytest.mark.parametrize(("tool", "arguments", "says"), MISTAKES)
def test_a_mistake_of_the_model_is_answered_with_what_would_be_right(
    tool: str, arguments: dict[str, Json], says: str
) -> None:
    events = events_of(
        request_for(STOPS, backend="scripted"),
        ScriptedBackend(turns([STEPS[0], (tool, arguments)])),
    )
    result = [event for event in events if event.type == "tool_result"][1]
    assert not result.data["ok"]
    assert says in result.data["text"]
    assert report_of(events[-1]).comparison.verdict == "faster"


def test_a_call_that_is_repeated_gives_the_same_result_and_runs_nothing() -> None:
    events = events_of(
        request_for(STOPS, backend="scripted"),
        ScriptedBackend(turns([step for step in STEPS for _ in range(2)])),
    )
    assert stages_done(events) == list(STAGES)
    texts = [event.data["text"] for event in events if event.type == "tool_result"]
    assert texts[0::2][:6] == texts[1::2][:6]


def test_a_turn_of_many_calls_runs_the_first_eight() -> None:
    many = Turn(
        tool_calls=tuple(
            ToolCall(f"c{n}", "parse_config", {"upload_id": "upload_1"}) for n in range(9)
        ),
        stop_reason="tool_use",
    )
    events = events_of(request_for(STOPS, backend="scripted"), ScriptedBackend([many]))
    results = [event.data["ok"] for event in events if event.type == "tool_result"]
    assert results == [True] * 8 + [False]


def test_the_model_chooses_the_findings_and_cannot_choose_figures() -> None:
    chosen = [*STEPS[:3], ("propose_patch", {"workload_id": "wl_1", "finding_ids": ["f_1"]})]
    report = report_of(
        events_of(request_for(STOPS, backend="scripted"), ScriptedBackend(turns(chosen)))[-1]
    )
    applied = {rule for edit in report.patch.edits if edit.applied for rule in edit.rule_ids}
    assert applied == {report.findings[0].rule_id}
    others = [edit for edit in report.patch.edits if not edit.applied]
    assert others
    assert all(edit.reason for edit in others)
    figures = {"integer", "number"}
    for tool in TOOLS.values():
        kinds = str(tool.schema())
        assert not any(f"'type': '{kind}'" in kinds for kind in figures), tool.name
        assert tool.description.endswith("."), tool.name


def test_answers_to_the_backend_are_short() -> None:
    store, audit_id, long = Store(None), new_secret(), STOPS + "# x\n" * 2000
    store.create(audit_id, "owner")
    events = list(drive(run_audit(request_for(long), store, audit_id)))
    assert max(len(e.data["text"]) for e in events if e.type == "tool_result") <= 2000


class Curious(RulesBackend):
    """The rules, listening to what they are told."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[object]) -> Turn:
        self.heard = list(messages)
        return await super().reply(messages, ())


def test_history_pairs_every_call_with_its_result() -> None:
    backend = Curious()
    events_of(request_for(STOPS), backend)
    asked = [call.id for message in backend.heard for call in message.tool_calls]
    answered = [result.call_id for message in backend.heard for result in message.results]
    assert asked == answered
    assert len(set(asked)) == len(asked)
    assert [message.role for message in backend.heard[:3]] == ["user", "assistant", "tool"]


def test_the_report_survives_the_log() -> None:
    events = events_of(request_for(STOPS))
    assert Report.model_validate(events[-1].data["report"]).workload_name == "train.yml"
