"""Leads on the page and in every export: escaped, with their source, and called unverified."""

from __future__ import annotations

import pytest

from agent.api import audit
from agent.research.plan import plan_research
from audit.export.html import report_html
from audit.export.markdown import report_markdown
from audit.export.text import report_text
from audit.records.events import Event
from audit.records.lead import Lead
from audit.records.report import Report
from tests.agent.training_files import STOPS, request_for
from ui.leads import leads_part, research_lines
from ui.view import AuditView, fold

EVIL = Lead(
    change="<img src=x onerror=alert(1)>",
    evidence="a | b",
    expected="2x",
    source="javascript:alert(1)",
)


@pytest.fixture(scope="module")
def report() -> Report:
    found = audit(request_for(STOPS))
    leads = plan_research("Is SDPA slow on AMD?").leads
    return found.model_copy(update={"leads": (*leads, EVIL)})


@pytest.mark.parametrize("write", [leads_part, report_html, report_markdown, report_text])
def test_leads_are_told_as_unverified_with_their_sources(report: Report, write) -> None:
    said = write(report)
    assert "unverified leads" in said.lower()
    for lead in report.leads[:-1]:
        assert lead.source.split("/")[-1] in " ".join(said.split()) or write is report_text
    if write in (leads_part, report_html):
        assert "<img" not in said
        assert 'href="javascript' not in said


def test_without_leads_nothing_is_said(report: Report) -> None:
    bare = report.model_copy(update={"leads": ()})
    assert leads_part(bare) == ""
    for write in (report_html, report_markdown, report_text):
        assert "nverified leads" not in write(bare)


def test_each_research_has_its_own_status_line() -> None:
    view = AuditView("a")
    for seq, (call, text) in enumerate([("c1", "one"), ("c2", "two"), ("c1", "three")], start=1):
        event = Event(
            type="log",
            data={"text": text},
            audit_id="a",
            seq=seq,
            at="2026-11-28T00:00:00Z",
            parent_call_id=call,
        )
        view = fold(view, event)
    assert dict(view.research) == {"c1": "three", "c2": "two"}
    said = research_lines(dict(view.research))
    assert said.count("<li") == 2
    assert "three" in said
    assert research_lines({}) == ""
