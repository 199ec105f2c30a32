"""Charts: the plotted data equals the report, hatching means not run, bars start at zero."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from agent.finished.roofline import roofline
from audit.export.arms import bars_of
from audit.export.step_walk import edit_by_edit, walk, what_is_left
from audit.records.patch import PatchStep
from audit.records.report import Report
from tests.ui import page_reports as made
from ui.charts import AFTER, BEFORE, PARTS, metric_charts
from ui.part_charts import memory_chart, time_chart
from ui.roofline_chart import roofline_chart


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_mark_can_be_told_from_both_grounds() -> None:
    for colour in (BEFORE, AFTER, *PARTS):
        assert contrast(colour, "#ffffff") >= 3, colour
        assert contrast(colour, "#171a1c") >= 3, colour


def test_the_plotted_data_is_the_report() -> None:
    report = made.report()
    charts = metric_charts(report)
    assert list(charts) == ["tokens_per_s_per_gpu", "step_s", "mfu", "padding_efficiency"]
    for name, chart in charts.items():
        (trace,) = chart.data
        before, after = getattr(report.before, name), getattr(report.after, name)
        assert list(trace.y) == ["before", "after"]
        assert list(trace.x) == [before.value, after.value]
        assert list(trace.error_x.array) == [before.high - before.value, after.high - after.value]
        assert list(trace.error_x.arrayminus) == [
            before.value - before.low,
            after.value - after.low,
        ]
        assert chart.layout.xaxis.range[0] == 0
        assert list(trace.marker.pattern.shape) == ["/", "/"]


@pytest.mark.parametrize("report", [made.report(), made.failed_run(), made.well_tuned()])
def test_plotly_takes_every_figure_as_it_is(report: Report) -> None:
    """The page skips Plotly's own checks; here each kind of figure passes them unchanged."""
    charts = [*metric_charts(report).values(), time_chart(report), memory_chart(report)]
    charts.append(roofline_chart(roofline(report)))
    drawn = [json.loads(chart.to_json()) for chart in charts if chart is not None]
    assert drawn
    for figure in drawn:
        assert figure["layout"].pop("template") == {}, "none: not even Plotly's own"
        checked = json.loads(go.Figure(figure).to_json())
        checked["layout"].pop("template")
        assert checked == figure


def test_measured_bars_are_solid() -> None:
    (trace,) = metric_charts(made.failed_run())["step_s"].data
    assert list(trace.marker.pattern.shape) == [""]


def test_one_bar_where_nothing_changed() -> None:
    report = made.well_tuned()
    assert [bar.label for bar in bars_of(report, "step_s")] == ["your file"]
    assert list(metric_charts(report)["step_s"].data[0].y) == ["your file"]


def test_the_time_chart_walks_from_before_to_after() -> None:
    changes = walk(made.report())
    assert (changes[0].label, changes[-1].label) == ("Before", "After")
    assert abs(changes[0].length - 3.01) < 1e-9
    moved = sum(-row.length if row.text.startswith("−") else row.length for row in changes[1:-1])
    assert abs(changes[0].length + moved - changes[-1].length) < 1e-9
    gains = [row.length for row in changes[1:-1]]
    assert gains == sorted(gains, reverse=True)
    figure = time_chart(made.report())
    assert figure is not None
    assert len(figure.data[0].x) == len(changes)


STEPS = tuple(
    PatchStep(finding_id=found, rule_id="r", title=title, step_s=step, peak_memory_gb=60.0)
    for found, title, step in (
        ("f_1", "The run stops at start-up", 3.01),
        ("f_2", "Activations are recomputed", 2.21),
        ("f_3", "Weights are unpacked", 1.56),
        ("f_6", "Weights are unpacked", 1.06),
    )
)


def test_the_time_chart_goes_edit_by_edit_where_the_patch_says_so() -> None:
    report = made.report()
    report = made.report(patch=report.patch.model_copy(update={"steps": STEPS}))
    assert edit_by_edit(report)
    assert [(row.label, row.text) for row in walk(report)] == [
        ("Before", "3.0 s"),
        ("Activations are recomputed", "−0.80 s"),
        ("Weights are unpacked", "−0.65 s"),
        ("Weights are unpacked (2)", "−0.50 s"),
        ("After", "1.06 s"),
    ]
    assert (
        what_is_left(report)
        == "0.75 s matrix work, 0.15 s loss and logits, 0.09 s attention, 0.07 s the rest"
    )


def test_projected_steps_never_stand_between_measured_arms() -> None:
    report = made.report()
    arms = {
        "before": made.arm("baseline", provenance="measured", runner="local"),
        "after": made.arm("patched", provenance="measured", runner="local"),
    }
    patch = report.patch.model_copy(update={"steps": STEPS})
    measured = made.report(patch=patch, provenance="measured", **arms)
    assert not edit_by_edit(measured)
    assert "Matrix work" in [row.label for row in walk(measured)]


def test_parts_that_did_not_move_alone_are_told_as_the_rest() -> None:
    small = tuple(
        made.Part(name=f"part_{place}", value=0.01 if place < 4 else 2.97) for place in range(5)
    )
    none = tuple(
        made.Part(name=f"part_{place}", value=0.0 if place < 4 else 1.02) for place in range(5)
    )
    report = made.report(
        before=made.arm("baseline", breakdown=small), after=made.arm("patched", breakdown=none)
    )
    assert [row.label for row in walk(report)] == ["Before", "Part 4", "The rest", "After"]


def test_the_memory_chart_stacks_the_parts_and_draws_the_card() -> None:
    figure = memory_chart(made.report())
    assert figure is not None
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert [trace.name for trace in bars][:2] == ["Weights", "Optimizer states"]
    assert abs(sum(trace.x[0] for trace in bars) - 12.4) < 1e-9
    assert abs(sum(trace.x[1] for trace in bars) - 71.2) < 1e-9
    assert figure.layout.shapes[0].x0 == 192
    assert memory_chart(made.without_estimate()) is None


def test_charts_bring_no_ground_of_their_own() -> None:
    for figure in metric_charts(made.report()).values():
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert figure.layout.font.size >= 12
