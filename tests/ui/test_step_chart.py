"""The live chart of a measured run, and the choice of the runner that leads to one."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.jobs import Jobs
from agent.request import AuditRequest
from agent.settings import Settings, read_settings
from audit.records.errors import UserError
from audit.records.events import ProgressData, StageData, StepPoint
from audit.records.upload import Upload
from tests.ui.page_events import STARTED, events
from ui.form import Filled, request_of
from ui.running import run_body
from ui.step_chart import step_chart
from ui.view import AuditView, fold_all

FILES = {"/x/a.yml": Upload("a.yml", b"base_model: x\n")}


def point(arm: str, index: int, seconds: float) -> StepPoint:
    return StepPoint.model_validate(
        {"arm": arm, "index": index, "seconds": seconds, "tokens_per_s": 900.0, "loss": 6.2}
    )


def told(arm: str, done: int, seconds: float) -> ProgressData:
    return ProgressData(
        stage="benchmark", text="x", done=done, total=9, point=point(arm, done, seconds)
    )


def test_nothing_measured_draws_nothing() -> None:
    assert step_chart(()) == ""


def test_each_arm_has_a_line_that_grows_and_a_sentence() -> None:
    chart = step_chart([point("baseline", 4, 0.2), point("patched", 4, 0.1)])
    assert chart.count("<polyline") == 2
    assert "Before: 0.20 s, loss 6.200, 1 round;" in chart
    assert "After: 0.10" in chart
    more = step_chart([point("baseline", index, 0.2) for index in range(5)])
    assert more.count("<circle") == 5


def test_the_second_benchmark_begins_a_new_chart() -> None:
    run = events(
        STARTED,
        StageData(stage="benchmark", state="running"),
        told("baseline", 1, 0.3), told("baseline", 2, 0.3),
        told("baseline", 1, 0.2), told("patched", 1, 0.1),
    )  # fmt: skip
    view = fold_all(AuditView("a" * 32), run)
    assert [one.arm for one in view.points] == ["baseline", "patched"]
    assert 'data-chart="steps"' in run_body(view)


def test_a_measuring_page_leaves_the_card_to_the_machine() -> None:
    local = Settings(runner="local", hardware="mi300x")
    assert request_of(Filled(), FILES, local).hardware is None
    assert request_of(Filled(hardware="mi300x"), FILES, local).hardware is None
    asked = request_of(Filled(hardware="h200"), FILES, local)
    assert (asked.runner, asked.hardware) == ("local", "h200")
    projected = request_of(Filled(runner="fake"), FILES, local)
    assert (projected.runner, projected.hardware) == ("fake", "mi300x")


def test_a_space_measures_nothing_whatever_its_operator_says() -> None:
    space = read_settings({"GOBLIN_RUNNER": "local", "SPACE_ID": "a/b"})
    assert space.runners == ("fake",)
    assert request_of(Filled(), FILES, space).runner == "fake"


def test_a_visitor_cannot_measure_where_nobody_enabled_it(tmp_path: Path) -> None:
    jobs = Jobs(Settings(data_dir=tmp_path))
    try:
        with pytest.raises(UserError, match="local is not enabled here"):
            jobs.start(AuditRequest(uploads=tuple(FILES.values()), runner="local"))
    finally:
        jobs.close()
