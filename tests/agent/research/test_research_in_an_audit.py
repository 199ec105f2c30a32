"""Research as a tool of an audit: leads reach the report, its words stand under the call."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from agent.api import report_of
from agent.budget import MAX_TOKENS
from audit.records.events import UsageData, read_data
from tests.agent.model_audits import WIRES, play, play_at, script
from tests.agent.provider import Answer, Call, Provider
from tests.agent.research_runs import FACT, READ, report, row

ASKED = Answer(text="look it up", calls=(Call("research", {"task": "Is SDPA slow on AMD?"}),))


@pytest.mark.parametrize("wire", WIRES)
def test_leads_reach_the_report_and_nothing_is_applied_for_them(wire: str) -> None:
    steps = script()
    answers = [*steps[:3], ASKED, READ, report(row(expected="2-8x")), *steps[3:]]
    events, _ = play(wire, answers)
    found = report_of(events[-1])
    plain, _ = play(wire, steps)
    assert [lead.source for lead in found.leads] == [FACT]
    assert found.patch == report_of(plain[-1]).patch
    assert found.tier == 0
    under = [event for event in events if event.parent_call_id]
    asked = next(
        event for event in events if event.type == "tool_call" and event.data["tool"] == "research"
    )
    assert {event.parent_call_id for event in under} == {asked.data["call_id"]}
    usage = [read_data(event) for event in events if event.type == "usage"]
    kinds = [one.kind for one in usage if isinstance(one, UsageData)]
    assert kinds.count("research") == 2


def test_a_research_that_fails_is_an_answer_not_an_end() -> None:
    steps = script()
    refused = Answer(status=401, error=("authentication_error", "no"))
    events, _ = play("openai", [*steps[:3], ASKED, refused, *steps[3:]])
    found = report_of(events[-1])
    assert found.leads == ()
    assert found.tier == 0
    said = [event for event in events if event.type == "tool_result"]
    assert any("No leads: the model's server refuses the key" in one.data["text"] for one in said)


def test_a_cheaper_model_researches_where_one_is_set() -> None:
    steps = script()
    answers = [*steps[:3], ASKED, READ, report(row()), *steps[3:]]
    _, server = play("openai", answers, models={"research_model": "small-one"})
    asked = [request["model"] for request in server.requests]
    assert asked.count("small-one") == 2
    assert len(set(asked)) == 2


TASKS = ("Is SDPA slow on AMD?", "Does packing pay?")
BOTH = Answer(text="both", calls=tuple(Call("research", {"task": task}) for task in TASKS))


class Meeting(Provider):
    """Answers the first request of each research only when both have come."""

    def __init__(self, *audit: Answer) -> None:
        self.barrier = threading.Barrier(len(TASKS), timeout=20.0)
        super().__init__(audit)

    def next(self, request: dict[str, Any]) -> Answer:
        if f"Task: {TASKS[0]}" not in (said := json.dumps(request)) and TASKS[1] not in said:
            return super().next(request)
        if "step 0" in said:  # the audit's own conversation names the tasks too
            return super().next(request)
        if any(result in said for result in ("tool_result", '"role": "tool"')):
            return report(row(change="Use sdpa" if TASKS[0] in said else "Pack"))
        self.barrier.wait()
        return READ


@pytest.mark.parametrize("wire", WIRES)
def test_researches_of_one_turn_run_side_by_side(wire: str) -> None:
    steps = script()
    server = Meeting(*steps[:3], BOTH, *steps[3:])
    try:
        events = play_at(server, wire)
    finally:
        server.close()
    assert not server.faults
    assert not server.barrier.broken
    assert {lead.change for lead in report_of(events[-1]).leads} == {"Use sdpa", "Pack"}
    asked = {
        event.data["call_id"]: event.data["arguments"]["task"]
        for event in events
        if event.type == "tool_call" and event.data["tool"] == "research"
    }
    assert sorted(asked.values()) == sorted(TASKS)
    lines = [
        (asked[event.parent_call_id], event.data["text"])
        for event in events
        if event.parent_call_id and event.type == "log"
    ]
    for task in TASKS:  # each has a status line of its own, under its own call
        assert (task, f"Research: {task}") in lines
        assert (task, "It handed over 1 lead.") in lines
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_a_research_stops_where_the_audit_has_spent_all() -> None:
    steps = script()
    dear = replace(ASKED, usage=(MAX_TOKENS - 4000, 0))  # nearly all; one more request is over it
    events, server = play("openai", [*steps[:3], dear, *[READ] * 9])
    assert len(server.requests) == 5
    said = [event.data["text"] for event in events if event.type == "tool_result"]
    assert any(f"of the audit, its {MAX_TOKENS:,} tokens are used up" in text for text in said)
    assert report_of(events[-1]).completed_by == "model+rules"
