"""The live view: events folded into stages, findings while the run goes on, only changes sent."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from audit.records.events import CancelledData, ErrorData, Event, ProgressData, StageData
from tests.ui import page_events as made
from ui.errors import error_part, excerpt, gone_part, place_of, reason_of
from ui.live import follow_audit
from ui.paint import NONE, changed, view_values
from ui.running import finished_part, run_body, run_head, status_text, title_of
from ui.view import AuditView, fold_all


class Told:
    """A log that hands out its events in portions, as a store does while an audit runs."""

    def __init__(self, portions: Iterable[list[Event]]) -> None:
        self.portions = list(portions)
        self.asked: list[int] = []

    def follow(self, audit_id: str, after: int = 0, timeout: float = 10.0) -> list[Event]:
        self.asked.append(after)
        return self.portions.pop(0) if self.portions else []

    def waiting(self) -> int:
        return 3


def test_a_waiting_audit_says_how_many_wait_with_it() -> None:
    moments = list(
        zip(range(2), follow_audit(Told([[], made.story()]), made.AUDIT_ID), strict=False)
    )
    assert 'data-waiting="3"' in moments[0][1].values["run_head"]
    assert "Waiting for its turn" in moments[0][1].values["run_head"]
    assert "data-waiting" not in moments[1][1].values["run_head"]


def view_at(until: str) -> AuditView:
    return fold_all(AuditView(made.AUDIT_ID), made.story(until))


def test_a_run_shows_where_it_is_and_what_was_found() -> None:
    view = view_at("benchmark")
    assert view.state == "running"
    assert title_of(view) == "Benchmarking, baseline and patched"
    assert status_text(view) == "Stage 5 of 6: Benchmark twice"
    html = run_body(view)
    assert html.count('data-state="done"') == 4
    assert html.count('aria-current="step"') == 1
    assert 'data-stage="benchmark" data-state="running" aria-current="step"' in html
    assert html.index("The run stops at start-up") < html.index("59% of every batch")
    assert "The audit goes on" in html
    assert "qlora.yml" in run_head(view)
    assert "1x AMD Instinct MI300X (assumed)" in run_head(view)


def test_findings_appear_with_the_query_and_not_before() -> None:
    assert view_at("query").findings == ()
    assert "Nothing yet" in run_body(view_at("query"))
    assert len(view_at("patch").findings) == 5


def test_a_finished_run_has_six_done_stages() -> None:
    view = view_at("end")
    assert view.ended
    assert finished_part(view).count('data-state="done"') == 7  # six stages and the audit
    assert status_text(view) == "The audit is finished."


def test_progress_of_a_long_stage_is_shown_and_bounded() -> None:
    steps = [ProgressData(stage="benchmark", text=f"round {place}") for place in range(30)]
    view = fold_all(view_at("benchmark"), made.events(*steps))
    html = run_body(view)
    assert "round 29" in html
    assert "round 2<" not in html


def test_only_changed_parts_are_sent() -> None:
    story = made.story()
    log = Told([story[:3], story[3:5], [], story[5:]])
    moments = list(follow_audit(log, made.AUDIT_ID))
    assert log.asked == [0, 3, 5, 5]
    assert set(moments[0].values) >= {"view", "status", "run_head", "run_body"}
    assert "view" not in moments[1].values
    assert moments[2].values == {}
    assert moments[3].view.ended
    assert moments[3].values["run_head"] == NONE
    assert "chart_step_s" in moments[3].values


def test_unchanged_values_are_left_out() -> None:
    assert changed({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None}) == {"b": 3, "c": None}


def test_a_cancelled_run_keeps_what_it_found() -> None:
    told = made.story("patch")
    view = fold_all(
        view_at("patch"),
        made.events(*[made.STARTED] * len(told), CancelledData(text="Stopped"))[-1:],
    )
    assert view.state == "cancelled"
    html = run_head(view) + run_body(view)
    assert "Cancelled" in html
    assert 'data-stage="patch" data-state="cancelled"' in html
    assert 'data-stage="compare" data-state="skipped"' in html
    assert "The run stops at start-up" in html
    assert "aria-current" not in html


ERROR = ErrorData(
    kind="input",
    message="support.yml, line 3, column 2: not valid YAML",
    file="support.yml",
    line=3,
    remedy="Remove the space and audit again.",
)


def test_an_error_names_place_reason_and_remedy() -> None:
    assert place_of(ERROR) == "support.yml, line 3, column 2"
    assert reason_of(ERROR) == "not valid YAML"
    html = error_part(ERROR, excerpt("support.yml", "a: 1\nb: 2\n c: <b>\nd: 4\n", 3, 2))
    assert "support.yml, line 3, column 2: not valid YAML." in html
    assert "Remove the space and audit again." in html
    assert "c: &lt;b&gt;" in html
    assert "^ column 2" in html
    assert "still in the form" in html


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ErrorData(kind="internal", message="internal error: KeyError"),
            "Internal error: KeyError.",
        ),
        (ErrorData(kind="interrupted", message="the server stopped"), "can run it again"),
        (
            ErrorData(kind="input", message="not YAML", file="a.yml", line=2),
            "a.yml, line 2: not YAML.",
        ),
        (ErrorData(kind="input", message="empty: nothing", file="a.yml"), "a.yml: empty: nothing."),
    ],
)
def test_errors_of_every_kind_have_words(error: ErrorData, words: str) -> None:
    assert words in error_part(error)


def test_a_run_that_broke_says_so_in_its_link() -> None:
    view = fold_all(
        AuditView(made.AUDIT_ID),
        made.events(made.STARTED, StageData(stage="parse", state="running"), ERROR),
    )
    assert view.state == "failed"
    assert "This file cannot be audited" in run_head(view)
    assert 'data-stage="parse" data-state="failed"' in run_body(view)
    assert 'data-view="run"' in view_values(view)["view"]


def test_excerpts_outside_the_text_are_empty() -> None:
    assert excerpt("a", "x\n", 40) == ""
    assert excerpt("a", "x\n", None) == ""


def test_an_unknown_link_is_answered_in_words_and_escaped() -> None:
    html = gone_part("<script>alert(1)</script>")
    assert "No audit under this link" in html
    assert "<script" not in html
