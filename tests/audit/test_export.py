"""Exports of real reports: complete, with provenance, and with the user's text kept text."""

from __future__ import annotations

import re

import pytest

from agent.api import audit
from audit.export.figures import metric_rows
from audit.export.json import report_json
from audit.export.markdown import report_markdown
from audit.export.numbers import times
from audit.export.patch import patch_file
from audit.export.text import report_text
from audit.records.finding import Evidence
from audit.records.report import Report
from audit.records.workload import Notice
from tests.agent.training_files import STOPS, UNKNOWN_MODEL, WELL_TUNED, request_for

HOSTILE = "x` <img src=x onerror=alert(1)> | **b** [a](javascript:b) \x1b[31m ``` $y$"


@pytest.fixture(scope="module")
def report() -> Report:
    return audit(request_for(STOPS, include=frozenset({"neutral", "numerics", "dynamics"})))


def test_json_is_the_record_itself(report: Report) -> None:
    assert Report.model_validate_json(report_json(report)) == report


@pytest.mark.parametrize("write", [report_text, report_markdown])
def test_people_get_everything_that_counts(report: Report, write) -> None:
    said = " ".join(write(report).replace("\\", "").split())
    for finding in report.findings:
        assert finding.title in said
        assert finding.rule_id in said
        assert finding.sources[0].url in said
    for edit in report.patch.edits:
        assert edit.field in said
    for check in report.checked:
        assert check.title in said
    assert "as written" in said.lower()
    for package, version in report.versions.items():
        assert f"{package} {version}" in said


@pytest.mark.parametrize("write", [report_text, report_markdown])
def test_no_figure_without_its_provenance(report: Report, write) -> None:
    said = write(report)
    for row in metric_rows(report.before, report.after):
        for text in row.texts:
            assert text.endswith("projected")
            assert text in said
    speedup = report.comparison.speedup
    assert speedup is not None
    lines = [line for line in said.splitlines() if times(speedup.value) in line]
    assert lines
    assert all("projected" in line for line in lines)


def test_the_patch_file_holds_the_diff_unchanged(report: Report) -> None:
    text = patch_file(report)
    assert text.endswith(report.patch.diff)
    assert "tf32: precision.tf32_on_rocm (neutral)" in text
    assert patch_file(audit(request_for(WELL_TUNED))) == ""


@pytest.mark.parametrize("write", [report_text, report_markdown])
def test_nothing_to_fix_is_a_full_answer(write) -> None:
    said = write(audit(request_for(WELL_TUNED)))
    assert "Nothing to fix" in said
    assert "Checked and in order" in said
    assert "## Patch" not in said


@pytest.mark.parametrize("write", [report_text, report_markdown])
def test_no_figures_are_shown_where_there_are_none(write) -> None:
    said = write(audit(request_for(UNKNOWN_MODEL)))
    assert "not comparable" in said.lower()
    assert "tokens/s per GPU" not in said


def test_text_from_files_stays_text(report: Report) -> None:
    first = report.findings[0].model_copy(
        update={"title": HOSTILE, "evidence": Evidence(file=HOSTILE, line=1, text=HOSTILE)}
    )
    hostile = report.model_copy(
        update={
            "workload_name": HOSTILE,
            "findings": (first,),
            "notices": (Notice(kind="note", message=HOSTILE),),
        }
    )
    assert "\x1b" not in report_text(hostile)
    markdown = report_markdown(hostile)
    outside = re.sub(r"(`+) .*? \1|`[^`\n]*`", "", markdown)
    assert "<img" not in outside.replace("\\<", "")
    assert "[a](java" not in outside
    assert "**b**" not in outside
