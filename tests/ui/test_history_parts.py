"""History and comparison as HTML, without a browser."""

from __future__ import annotations

from agent.finished.side_by_side import compare_reports
from audit.log.history import Summary, summarise
from audit.records.events import FinalReportData
from tests.ui.page_reports import AUDIT_ID, report
from ui.compare import asked_ids, compare_part
from ui.history import history_part


def summary(**changes: object) -> Summary:
    parts: dict[str, object] = {
        "audit_id": AUDIT_ID,
        "status": "done",
        "created": "2026-11-28T10:00:00.000+00:00",
        "workload_name": "qlora.yml",
        "hardware": "mi300x",
    }
    return Summary(**{**parts, **changes})  # type: ignore[arg-type]


def test_a_finished_audit_keeps_what_its_history_line_shows() -> None:
    data = FinalReportData(report=report()).model_dump(mode="json")
    found = summarise("final_report", data)
    speedup = report().comparison.speedup
    assert speedup is not None
    assert (found["low"], found["speedup"], found["high"]) == (
        speedup.low, speedup.value, speedup.high,
    )  # fmt: skip
    assert sum(found["severities"].values()) == len(report().findings)
    page = history_part([summary(**found, gpus=8)], 0, 30)
    assert 'data-provenance="projected"' in page
    assert 'data-badge="projected"' in page
    assert "8x AMD Instinct MI300X" in page
    assert "1 critical" in page


def test_every_state_of_an_audit_has_words() -> None:
    states = {
        "waiting": "Waiting for its turn",
        "running": "Running now",
        "failed": "Ended without a report",
        "cancelled": "Cancelled",
    }
    for status, said in states.items():
        page = history_part([summary(status=status)], 0, 30)
        assert said in page
        assert "data-pick" in page
        assert " disabled" in page, "only a finished audit can be compared"
    old = history_part([summary(hardware="gone-9000", findings=0)], 2, 30)
    assert "gone-9000" in old
    assert "Nothing to fix" in old
    assert "2 more audits of this browser are gone" in old


def test_foreign_names_are_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    assert evil not in history_part([summary(workload_name=evil, hardware=evil)], 0, 30)
    one = report().model_copy(update={"workload_name": evil})
    compared = compare_reports([(AUDIT_ID, one), (AUDIT_ID[::-1], one)])
    assert evil not in compare_part(compared, f"./compare?a={evil}")


def test_unlike_audits_get_no_ratio() -> None:
    one = report()
    assert one.after is not None
    other = one.model_copy(update={"after": one.after.model_copy(update={"hardware": "h200"})})
    page = compare_part(compare_reports([("a" * 32, one), ("b" * 32, other)]), "./compare")
    assert "no speed-up is computed" in page
    assert 'data-metric="speedup"' not in page
    like = compare_part(compare_reports([("a" * 32, one), ("b" * 32, one)]), "./compare")
    assert 'data-metric="speedup"' in like
    assert "No field of the files differs" in like


def test_ids_of_an_address() -> None:
    assert asked_ids({"a": "x", "b": "y", "ids": "y,z,,w,v"}) == ["x", "y", "z", "w"]
    assert asked_ids({}) == []
