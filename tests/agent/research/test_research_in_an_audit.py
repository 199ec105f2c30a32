"""Research as a tool of an audit: leads reach the report, its words stand under the call."""

from __future__ import annotations

import pytest

from agent.api import report_of
from audit.records.events import UsageData, read_data
from tests.agent.model_audits import WIRES, play, script
from tests.agent.provider import Answer, Call
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
