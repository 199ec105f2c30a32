"""A second round: the patch anew under new constraints, from what the first round found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.finished.rebuild import followed
from agent.jobs import Jobs
from agent.settings import Settings
from audit.log.ids import new_secret
from audit.records.errors import UserError
from audit.records.events import TERMINAL, Event
from audit.records.report import Report
from tests.agent.model_audits import STEPS, WIRES, script, settings_for
from tests.agent.provider import Answer, Call, provider
from tests.agent.training_files import SCRIPT, STOPS, WELL_TUNED, request_for, wait_for

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in (".yml", ".py"))


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(Settings(data_dir=tmp_path / "data"))
    yield made
    made.close()


def report_in(events: list[Event]) -> Report:
    assert [event.type in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
    return Report.model_validate(events[-1].data["report"])


def same(first: Report, second: Report) -> bool:
    return first.model_copy(update={"seconds": 0}) == second.model_copy(update={"seconds": 0})


def stages_in(events: list[Event]) -> list[tuple[str, str]]:
    return [(e.data["stage"], e.data["state"]) for e in events if e.type == "stage"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yml", STOPS), ("a.py", SCRIPT), ("b.yml", WELL_TUNED)]
    + [(path.name, path.read_text()) for path in EXAMPLES],
)
def test_without_new_wishes_it_finds_the_very_same(jobs: Jobs, name: str, text: str) -> None:
    """What is read back from the log is what the first round had in hand."""
    first = jobs.start(request_for(text, name))
    before = wait_for(jobs, first.audit_id)
    second = jobs.second_round(first.audit_id, first.owner_token)
    after = wait_for(jobs, second.audit_id)
    assert same(report_in(before), report_in(after))
    assert jobs.events(first.audit_id) == before
    assert after[0].data["request"]["parent"] == first.audit_id
    assert ("parse", "running") not in stages_in(after)
    assert ("query", "running") not in stages_in(after)
    assert [result(event) for event in before if taken(event)] == [
        result(event) for event in after if taken(event)
    ]


def taken(event: Event) -> bool:
    known = event.type == "stage" and event.data["result"] is not None
    return known and event.data["stage"] in ("parse", "profile", "query")


def result(event: Event) -> tuple[object, ...]:
    return event.data["stage"], event.data["state"], event.data["text"], event.data["result"]


def test_a_field_is_kept_and_a_finding_left_out(jobs: Jobs) -> None:
    first = jobs.start(request_for(STOPS))
    made = report_in(wait_for(jobs, first.audit_id))
    touched = {edit.field for edit in made.patch.edits if edit.applied}
    assert {"per_device_train_batch_size", "gradient_checkpointing"} <= touched
    rule = next(
        rule
        for edit in made.patch.edits
        if edit.field == "gradient_checkpointing"
        for rule in edit.rule_ids
    )
    known = {finding.rule_id for finding in made.findings}
    assert rule in known
    second = jobs.second_round(
        first.audit_id,
        first.owner_token,
        keep=["per_device_train_batch_size"],
        leave_out=[rule],
    )
    again = report_in(wait_for(jobs, second.audit_id))
    now = {edit.field for edit in again.patch.edits if edit.applied}
    assert not now & {"per_device_train_batch_size", "gradient_checkpointing"}
    assert rule not in followed(again)
    reasons = [e.reason for e in again.patch.edits if rule in e.rule_ids and not e.applied]
    assert "You left it out" in reasons
    third = jobs.second_round(second.audit_id, second.owner_token)
    assert same(report_in(wait_for(jobs, third.audit_id)), again)


def test_a_cure_that_is_left_out_asks_the_knowledge_base_again(jobs: Jobs) -> None:
    first = jobs.start(request_for(STOPS))
    wait_for(jobs, first.audit_id)
    second = jobs.second_round(first.audit_id, first.owner_token, keep=["tf32"])
    events = wait_for(jobs, second.audit_id)
    assert ("query", "running") in stages_in(events)
    assert ("profile", "running") not in stages_in(events)
    direct = jobs.start(request_for(STOPS, keep=frozenset({"tf32"})))
    assert same(report_in(events), report_in(wait_for(jobs, direct.audit_id)))
    assert report_in(events).comparison.verdict == "not_comparable"


def test_what_cannot_be_is_refused_in_words(jobs: Jobs) -> None:
    first = jobs.start(request_for(STOPS))
    wait_for(jobs, first.audit_id)
    with pytest.raises(UserError, match="no field or key called warp_speed"):
        jobs.second_round(first.audit_id, first.owner_token, keep=["warp_speed"])
    with pytest.raises(UserError, match=r"no finding of the rule no\.such"):
        jobs.second_round(first.audit_id, first.owner_token, leave_out=["no.such"])
    with pytest.raises(UserError, match="somebody else"):
        jobs.second_round(first.audit_id, new_secret())
    broken = jobs.start(request_for("bf16: [true\n"))
    wait_for(jobs, broken.audit_id)
    with pytest.raises(UserError, match="no report"):
        jobs.second_round(broken.audit_id, broken.owner_token)


@pytest.mark.parametrize("wire", WIRES)
def test_a_model_goes_on_from_what_was_found(tmp_path: Path, wire: str) -> None:
    """Its talk opens with the answers of the first three tools; it begins with the patch."""
    leave = Answer(calls=(Call("propose_patch", {"workload_id": "wl_1", "finding_ids": ["f_1"]}),))
    with provider(*script(), leave, *script(4, 5, 6)) as server:
        jobs = Jobs(Settings(data_dir=tmp_path, models=settings_for(server.url)))
        try:
            first = jobs.start(request_for(STOPS, backend=wire))
            made = report_in(wait_for(jobs, first.audit_id))
            rule = made.findings[1].rule_id
            second = jobs.second_round(first.audit_id, first.owner_token, leave_out=[rule])
            events = wait_for(jobs, second.audit_id)
        finally:
            jobs.close()
        report = report_in(events)
        assert (report.completed_by, report.tier) == ("model", 0)
        assert len(server.requests) == len(STEPS) + 4
        opening = server.requests[len(STEPS)]["messages"][-1]["content"]
        assert "second round" in opening
        assert "f_1 [critical" in opening
        assert "<upload_data>" in opening
        system = server.requests[-1].get("system") or server.requests[-1]["messages"][0]["content"]
        assert rule in system
        assert followed(report) <= {made.findings[0].rule_id}
