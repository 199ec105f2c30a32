"""The roofline: counted from the estimator, timed by the report, drawn as it is told."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agent.api import audit
from agent.finished.roofline import roofline
from agent.request import AuditRequest
from audit.records.base import Interval
from audit.records.report import Report
from audit.records.upload import Upload
from kb.catalog.hardware import find_hardware
from runner.estimator.from_workload import read_job
from ui.roofline_chart import roofline_caption, roofline_chart, roofline_table

FILE = Path(__file__).resolve().parents[2] / "examples" / "axolotl-qlora-192gb.yml"


def of(text: str | None = None, hardware: str = "mi300x") -> Report:
    data = FILE.read_bytes() if text is None else text.encode()
    return audit(AuditRequest(uploads=(Upload(FILE.name, data),), hardware=hardware))


@pytest.fixture(scope="module")
def report() -> Report:
    return of()


def test_the_points_are_counted_and_timed(report: Report) -> None:
    before, after = roofline(report)
    assert (before.label, after.label) == ("before", "after")
    assert before.bound == "memory bandwidth"
    assert after.bound == "matrix rate"
    for point, arm in ((before, report.before), (after, report.after)):
        assert arm is not None
        assert arm.step_s is not None
        assert arm.mfu is not None
        flops = point.tflops.value * 1e12 * arm.step_s.value
        assert point.tflops.high == pytest.approx(flops / 1e12 / arm.step_s.low)
        # MFU counts real tokens and no recomputation, so what is executed is never less.
        assert point.tflops.value >= arm.mfu.value * point.peak_tflops
        assert point.tflops.value < point.roof
    assert after.intensity > before.intensity


def test_one_matrix_product_of_the_whole_model_is_the_known_count() -> None:
    """Full bf16 training without recomputation: three passes, six operations per parameter."""
    text = (
        "base_model: meta-llama/Llama-3.1-8B\ndatasets: [{path: a, type: alpaca}]\n"
        "sequence_len: 1024\nsample_packing: true\nmicro_batch_size: 1\n"
        "gradient_accumulation_steps: 1\noptimizer: adamw_torch_fused\nbf16: true\n"
        "gradient_checkpointing: false\nflash_attention: true\nlearning_rate: 1e-5\n"
    )
    report = of(text)
    from agent.finished.from_report import as_written
    from runner.estimator.intensity import operating_point

    workload, card = as_written(report), find_hardware("mi300x")
    found = operating_point(workload, card, 1, 1)
    job = read_job(workload, card, 1, 1).job
    tokens = job.micro_tokens * job.accumulation
    assert found.flops / tokens == pytest.approx(6 * 7.5e9, rel=0.05)
    assert found.moved > 3 * 2 * 8.0e9


def test_the_chart_draws_what_the_points_say(report: Report) -> None:
    points = roofline(report)
    chart = roofline_chart(points)
    assert chart is not None
    roof, before, after = chart.data
    assert chart.layout.xaxis.type == chart.layout.yaxis.type == "log"
    assert list(roof.y)[1:] == [points[0].peak_tflops] * 2
    for trace, point in zip((before, after), points, strict=True):
        assert (trace.x[0], trace.y[0]) == (point.intensity, point.tflops.value)
        assert trace.marker.symbol.endswith("-open")
        assert trace.error_y.array[0] == point.tflops.high - point.tflops.value
    low, high = chart.layout.xaxis.range
    assert all(low < math.log10(point.intensity) < high for point in points)
    assert "projected" in roofline_caption(points)
    assert roofline_table(points).count('data-provenance="projected"') == 4


def test_a_measured_step_is_drawn_solid() -> None:
    report = of((FILE.parent / "llamafactory-packing.yaml").read_text())
    assert report.before is not None
    assert report.after is not None
    step = Interval(low=0.9, value=1.0, high=1.1)
    measured = {"provenance": "measured", "step_s": step}
    ran = report.model_copy(
        update={
            "before": report.before.model_copy(update=measured),
            "after": report.after.model_copy(update=measured),
        }
    )
    points = roofline(ran)
    assert len(points) == 2
    chart = roofline_chart(points)
    assert chart is not None
    assert not any("open" in trace.marker.symbol for trace in chart.data[1:])
    assert "of a run" in roofline_table(points)
    # Fields alone do not tell that this is the file that ran: nothing is drawn.
    other = ran.after.model_copy(update={"workload": "another"}) if ran.after else None
    assert roofline(ran.model_copy(update={"after": other})) == ()


def test_no_limit_no_chart() -> None:
    points = roofline(of(hardware="h20"))
    assert points == ()
    assert roofline_chart(points) is None
    assert roofline_caption(points) == roofline_table(points) == ""
