"""JSON, Markdown, HTML, terminal and page state the same figures, digit for digit."""

from __future__ import annotations

import html
import re

import pytest

from agent.api import audit
from audit.export.figures import SHOWN, speedup_text
from audit.export.html import report_html
from audit.export.json import report_json
from audit.export.markdown import report_markdown
from audit.export.numbers import ends, spread, times
from audit.export.text import report_text
from audit.records.base import Interval
from audit.records.report import Report
from tests.agent.training_files import AXOLOTL, STOPS, UNKNOWN_MODEL, WELL_TUNED, request_for
from ui import before_after
from ui.verdict import verdict_card

Figures = dict[tuple[str, str], str]
"""(metric, arm) -> `value ends provenance`, units left out."""
LABELS = {label: metric for metric, label, _ in SHOWN}
UNITS = {metric: unit for metric, _, unit in SHOWN}
ARMS = ("before", "after")

CASES = {
    "stops": request_for(STOPS),
    "two cards": request_for(AXOLOTL, gpus=4, hardware="h100-sxm"),
    "anchored": request_for(AXOLOTL, step_s=3.0),
    "well tuned": request_for(WELL_TUNED),
    "no figures": request_for(UNKNOWN_MODEL),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def report(request: pytest.FixtureRequest) -> Report:
    return audit(CASES[request.param])


def from_json(report: Report) -> Figures:
    """The record's own figures, printed by the one rule."""
    again = Report.model_validate_json(report_json(report))
    found: Figures = {}
    for name, arm in zip(ARMS, (again.before, again.after), strict=True):
        for metric in UNITS:
            interval: Interval | None = getattr(arm, metric) if arm else None
            if arm is None or interval is None:
                continue
            if metric == "tokens_per_s" and arm.gpus * arm.nodes == 1:
                continue
            told = f"anchored, {arm.provenance}" if arm.anchored else arm.provenance
            found[metric, name] = f"{spread(interval)[0]}{ends(interval)}, {told}"
    return found


def _cells(label: str, cells: list[str]) -> Figures:
    metric = LABELS[re.sub(r" \((?:allocated|reserved|device)\)$", "", label)]
    unit = UNITS[metric]
    return {
        (metric, arm): cell.replace(unit, "", 1) if unit else cell
        for arm, cell in zip(ARMS, cells, strict=False)
        if cell != "-"
    }


def from_markdown(report: Report) -> Figures:
    found: Figures = {}
    section = report_markdown(report).partition("## Before and after")[2].partition("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] and not cells[0].startswith("-"):
            found |= _cells(cells[0], cells[1:])
    return found


def from_text(report: Report) -> Figures:
    found: Figures = {}
    for line in report_text(report).splitlines():
        cells = re.split(r" {3,}", line.strip())
        if re.sub(r" \((?:allocated|reserved|device)\)$", "", cells[0]) in LABELS:
            found |= _cells(cells[0], cells[1:])
    return found


def from_html(report: Report) -> Figures:
    found: Figures = {}
    for metric, arm, cell in re.findall(
        r'<td class="number" data-metric="(\w+)" data-arm="(\d)"[^>]*>(.*?)</td>',
        report_html(report),
    ):
        kind = re.search(r'<span class="badge \w+">(.*?)</span>', cell)
        assert kind, "a figure without a badge"
        said = re.sub(r"<[^>]+>", "", cell.replace(kind.group(), "")).strip()
        unit = UNITS[metric]
        value = html.unescape(said.replace(unit, "", 1) if unit else said)
        found[metric, ARMS[int(arm)]] = f"{value}, {kind.group(1)}"
    return found


def from_page(report: Report) -> Figures:
    """The page's own table; it shows fewer metrics, and one column where nothing changed."""
    found: Figures = {}
    for row in re.findall(r"<tr>(.*?)</tr>", before_after.table(report)):
        cells = re.findall(
            r'data-metric="(\w+)" data-provenance="(\w+)">(.*?)</b> <span>(.*?)</span>', row
        )
        for arm, (metric, provenance, value, between) in zip(ARMS, cells, strict=False):
            found[metric, arm] = f"{value}{between}, {provenance}"
    return found


def test_every_writing_states_the_same_figures(report: Report) -> None:
    told = from_json(report)
    assert from_markdown(report) == told
    assert from_text(report) == told
    assert from_html(report) == told
    page = {key: value.replace("anchored, ", "") for key, value in told.items()}
    shown = from_page(report)
    assert shown.items() <= page.items()
    if told:
        metrics = {metric for metric, _ in shown}
        assert metrics >= {"tokens_per_s_per_gpu", "step_s", "mfu", "padding_efficiency"}


def test_the_verdict_is_the_same_in_every_writing(report: Report) -> None:
    said = speedup_text(report.comparison)
    sentence = said[0].upper() + said[1:]
    assert sentence in report_markdown(report)
    assert sentence in html.unescape(report_html(report))
    assert said in " ".join(report_text(report).split())
    speedup = report.comparison.speedup
    if speedup is not None and any(edit.applied for edit in report.patch.edits):
        assert f">{times(speedup.value)}</span>" in verdict_card(report)
