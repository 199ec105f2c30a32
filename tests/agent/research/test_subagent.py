"""The research sub-agent against a scripted server: held to its budget and to what it has read."""

from __future__ import annotations

import random

import pytest

from agent.research.library import Library
from agent.research.plan import plan_research
from agent.research.subagent import TOKENS, TURNS
from agent.research.tools import HEAD, TAIL, TOOLS, Reading, bounded, tools_for
from audit.records.events import LogData, UsageData
from audit.records.lead import Lead, Research
from tests.agent.model_audits import WIRES
from tests.agent.provider import Answer, Call
from tests.agent.research_runs import ASK, FACT, FAULTS, READ, report, research, row


@pytest.mark.parametrize("wire", WIRES)
def test_leads_are_read_and_handed_over(wire: str) -> None:
    found, _, server, log = research(wire, [ASK, READ, report(row())])
    assert [lead.change for lead in found.leads] == ["Use sdpa"]
    assert found.by == wire
    assert len(server.requests) == 3
    assert {one.kind for one in log if isinstance(one, UsageData)} == {"research"}
    assert any(isinstance(one, LogData) and "search_kb" in one.text for one in log)


def test_a_lead_stands_on_what_was_read_and_states_no_figure_of_its_own() -> None:
    rows = [
        row(expected="2-8x", measured="99 percent"),
        row(change="B", source="https://invented.example/"),
        row(change="C", source="attention.eager"),
    ]
    found, *_ = research("openai", [READ, report(*rows)])
    assert len(found.leads) == 1
    assert found.dropped == 2
    assert (found.leads[0].expected, found.leads[0].measured) == ("2-8x", None)


def test_a_wrong_report_is_answered_and_may_be_mended() -> None:
    wrong = Answer(calls=(Call("report_leads", {"leads": [{"change": "x"}]}),))
    found, _, server, _ = research("openai", [READ, wrong, report(row())])
    assert len(found.leads) == 1
    assert "leads.0" in str(server.requests[-1])


def test_an_answer_without_leads_is_asked_for_them_once() -> None:
    found, _, server, _ = research("openai", [READ, Answer(text="It is fine."), report(row())])
    assert len(found.leads) == 1
    gone, _, server, _ = research("openai", [Answer(text="It is fine.")] * 5)
    assert gone.leads == ()
    assert gone.ended.startswith("No leads:")
    assert len(server.requests) == 2


def test_a_model_that_reads_on_is_told_and_then_left_with_its_report() -> None:
    questions = [
        Answer(calls=(Call("search_kb", {"question": f"question {n}"}),)) for n in range(30)
    ]
    found, agent, server, _ = research("openai", questions)
    assert agent.budget.turns <= TURNS
    assert agent.budget.tokens <= TOKENS
    told = str(server.requests)
    assert "Your budget is nearly used up" in told
    assert [tool["function"]["name"] for tool in server.requests[-1]["tools"]] == ["report_leads"]
    assert found.leads == ()


def test_the_same_call_over_and_over_ends_it() -> None:
    found, _, server, _ = research("openai", [ASK] * 30)
    assert "repeated" in found.ended
    assert len(server.requests) < TURNS


def test_without_a_network_no_network_tool_is_there() -> None:
    page = Answer(calls=(Call("read_hf_doc", {"path": "trl/sft_trainer"}),))
    _, _, server, _ = research("openai", [page, report()])
    assert "there is no tool called 'read_hf_doc'" in str(server.requests[-1])
    names = {tool["function"]["name"] for tool in server.requests[0]["tools"]}
    assert names == {name for name, tool in TOOLS.items() if not tool.network}
    assert len(tools_for(Reading(Library(), None))) == 4


def test_long_answers_keep_their_beginning_and_end() -> None:
    text = "a" * 5000 + "b" * 5000
    cut = bounded(text)
    assert cut.startswith("a" * HEAD)
    assert cut.endswith("b" * TAIL)
    assert "2000 characters left out" in cut
    assert bounded("short") == "short"


def test_the_rules_bring_leads_from_the_knowledge_base() -> None:
    found = plan_research("Does bitsandbytes work on AMD?")
    assert found.by == "rules"
    assert found.leads
    assert all(lead.source and lead.measured is None for lead in found.leads)
    assert plan_research("zzzz qqqq").leads == ()


def test_whatever_happens_the_budget_holds() -> None:
    choose = random.Random(7)
    for number in range(30):
        answers = [choose.choice(FAULTS) for _ in range(16)]
        found, agent, _, _ = research(choose.choice(WIRES), answers)
        assert isinstance(found, Research), number
        assert agent.budget.turns <= TURNS
        assert agent.budget.tokens <= TOKENS
        assert all(isinstance(lead, Lead) and lead.source == FACT for lead in found.leads)
