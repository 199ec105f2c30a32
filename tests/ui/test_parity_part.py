"""Loss and gradient norm of both measured runs: what the page and the exported file draw."""

from __future__ import annotations

import math
import re

import pytest

from audit.export.html import report_html
from audit.export.parity import HEIGHT, WIDTH
from audit.records.comparison import Comparison
from audit.records.finding import Semantics
from audit.records.measured import StepRow
from audit.records.report import Report
from runner.parity import POINTS
from tests.runner.measured_runs import rows, run_of
from tests.runner.test_paired import compared
from tests.ui import page_reports as made
from tests.ui.test_report_parts import read, text
from ui.paint import NONE, report_values


def report_of(found: list[StepRow], semantics: Semantics = "neutral", **changes: object) -> Report:
    comparison = compared(run_of(found), semantics)
    return made.report(
        provenance="measured",
        before=made.arm("baseline", provenance="measured", runner="local", samples=50),
        after=made.arm("patched", provenance="measured", runner="local", samples=50),
        comparison=comparison.model_copy(update=changes),
        believe=None,
    )


def part_of(report: Report) -> str:
    return str(report_values(report)["parity"])


def lines(html: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (point.split(",") for point in found.split())]
        for found in re.findall(r'<polyline[^>]* points="([^"]+)"', html)
    ]


def test_both_arms_are_drawn_spoken_and_listed() -> None:
    found = rows(1.5)
    html = part_of(report_of(found))
    read(html)
    assert "Does it still train the same? Yes, within rounding." in text(html)
    drawn = lines(html)
    assert len(drawn) == 4
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for line in drawn for x, y in line)
    assert drawn[0] == drawn[1], "the same losses lie on each other"
    assert drawn[0][0][1] < drawn[0][-1][1], "the loss falls"
    spoken = re.findall(r'role="img" aria-label="([^"]+)"', html)
    assert len(spoken) == 2
    assert "before from" in spoken[0]
    assert "after from" in spoken[0]
    steps = len({row.index for row in found})
    assert html.count("<tr>") == 1 + steps
    assert html.count('data-metric="loss" data-provenance="measured"') == 2 * steps
    assert "the 8 steps held against each other" in html


def test_a_difference_is_said_and_seen() -> None:
    found = [
        row.model_copy(update={"loss": row.loss * 1.01}) if row.arm == "patched" else row
        for row in rows()
    ]
    html = part_of(report_of(found))
    assert "No: the two runs differ by more than rounding." in html
    before, after = lines(html)[:2]
    assert all(one[1] > other[1] for one, other in zip(before, after, strict=True))


def test_what_has_no_counterpart_is_drawn_but_not_judged() -> None:
    html = part_of(report_of(rows(), "dynamics"))
    assert "Not judged." in html
    assert "The edits change what is learned" in html
    assert "held against" not in html


def test_a_long_run_is_thinned_and_a_step_without_a_number_left_out() -> None:
    found = [
        row.model_copy(update={"loss": math.nan}) if row.index == 30 else row
        for row in rows(rounds=400)
    ]
    parity = report_of(found).comparison.parity
    assert parity is not None
    assert 60 < len(parity.points) <= POINTS
    assert all(math.isfinite(point.loss_before) for point in parity.points)
    assert (parity.points[0].index, parity.points[-1].index > 780) == (0, True)


@pytest.mark.parametrize("comparison", [None, {"parity": None}])
def test_nothing_is_drawn_where_nothing_was_measured(comparison: dict[str, None] | None) -> None:
    report = made.report() if comparison is None else report_of(rows(), **comparison)
    assert part_of(report) == NONE
    assert "Does it still train" not in report_html(report)


def test_the_exported_file_draws_the_same() -> None:
    report = report_of(rows(1.5))
    html = report_html(report)
    assert "Does it still train the same?" in html
    assert lines(html) == lines(part_of(report))
    assert "<script" not in html
    assert html.count('data-metric="grad_norm"') == 100


def test_a_report_of_before_the_curves_is_still_read() -> None:
    old = report_of(rows()).comparison.model_dump(mode="json")
    del old["parity"]["points"]
    kept = Comparison.model_validate(old)
    assert kept.parity is not None
    assert kept.parity.points == ()
    assert part_of(made.report(comparison=kept)) == NONE
