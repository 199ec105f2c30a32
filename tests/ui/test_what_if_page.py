"""The what-if form and table as HTML, and what the server makes of what a browser sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.api import audit
from agent.finished.what_if import WhatIfAsked, what_if
from agent.request import AuditRequest
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload
from ui.what_if_asked import read_asked
from ui.what_if_desk import first_rows
from ui.what_if_form import short_name, what_if_part
from ui.what_if_rows import fault_part, rows_part

FILE = Path(__file__).resolve().parents[2] / "examples" / "axolotl-qlora-192gb.yml"


@pytest.fixture(scope="module")
def report() -> Report:
    return audit(AuditRequest(uploads=(Upload(FILE.name, FILE.read_bytes()),)))


def test_the_form_is_filled_from_the_audit(report: Report) -> None:
    form = what_if_part(report)
    assert form.count(" checked") == 4
    assert 'value="" placeholder="2, as the file says"' in form
    assert 'value="" placeholder="310, assumed"' in form
    assert "such as 52k" in form
    unknown = report.model_copy(
        update={"profile": report.profile.model_copy(update={"step_s": None})}
    )
    assert what_if_part(unknown) == first_rows(unknown) == ""


def test_every_figure_is_projected_and_has_its_interval(report: Report) -> None:
    asked = read_asked({"cards": ["mi300x", "rtx-4090"], "rows": "52k"})
    rows = rows_part(what_if(report, asked))
    assert rows.count("data-metric=") == rows.count('data-provenance="projected"') == 4 * 6
    assert rows.count(" to ") >= 4 * 5
    assert "as audited" in rows
    assert "2026-09-25" in rows
    assert 'data-price="mi300x"' in rows
    assert "quant_bits as it is" in rows


def test_what_is_not_known_is_said(report: Report) -> None:
    rows = rows_part(what_if(report, WhatIfAsked(cards=("mi325x",))))
    assert "price not known: write yours" in rows
    assert "not known</td>" in rows
    assert "Run costs" not in rows
    refused = rows_part(what_if(report, WhatIfAsked(cards=("strix-halo",), gpus=8)))
    assert "one per machine" in refused
    assert "data-metric" not in refused


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "no card"),
        ({"cards": []}, "no card"),
        ({"cards": "mi300x"}, "no card"),
        ({"cards": ["mi300x"], "gpus": "1.5"}, "GPUs per machine is 1.5"),
        ({"cards": ["mi300x"], "gpus": "<b>"}, "is no number"),
        ({"cards": ["mi300x"], "p50": "10"}, "not whole"),
        ({"cards": ["mi300x"], "p50": "100", "p95": "50", "max": "70"}, "out of order"),
        ({"cards": ["mi300x"], "rows": "1e99"}, "rows"),
        ({"cards": ["mi300x"], "prices": {"mi300x": "-3"}}, "price of mi300x"),
        ({"cards": ["mi300x"] * 99 + ["b200"]}, ""),
        ({"cards": [f"x{number}" for number in range(99)]}, "not in the catalogue"),
    ],
)
def test_slips_and_mischief_are_told(report: Report, given: object, told: str) -> None:
    if not told:
        assert len(what_if(report, read_asked(given)).rows) == 1
        return
    with pytest.raises(UserError) as caught:
        what_if(report, read_asked(given))
    assert told in str(caught.value)
    assert "<b>" not in fault_part(caught.value)


def test_names_without_their_maker() -> None:
    assert short_name("NVIDIA GeForce RTX 4090") == "RTX 4090"
    assert short_name("AMD Instinct MI300X") == "MI300X"
