"""Planning: each finding judged on what the ones before it left, and none followed by half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.api import audit
from agent.patching.plan import LeftOut, effective_batch, plan_patch, with_edits
from agent.request import AuditRequest
from agent.services import Services, make_services
from audit.records.finding import Effect, Evidence, FieldEdit, Finding, Semantics, Source
from audit.records.patch import Edit
from audit.records.report import Report
from audit.records.upload import Upload
from audit.records.workload import Workload
from kb.choose import Choice
from tests.agent.training_files import AXOLOTL, SCRIPT, STOPS, TOKEN, request_for
from workload.read import read_workload

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
QLORA = (EXAMPLES / "axolotl-qlora-192gb.yml").read_text()
CARDS = ("l4", "rtx-4090", "a100-40gb", "a100-80gb", "h100-sxm", "mi210", "mi300x", "mi355x")
MICRO, ACCUMULATION = "per_device_train_batch_size", "gradient_accumulation_steps"


def read(request: AuditRequest) -> tuple[Workload, Services]:
    return read_workload(request.uploads), make_services(request, lambda _: None, lambda: False)


def finding(
    *edits: FieldEdit, semantics: Semantics = "neutral", rule: str = "batch.made_up"
) -> Finding:
    """A finding as a rule would make it."""
    return Finding(
        id="f_1",
        rule_id=rule,
        facts=(),
        severity="high",
        title="Made up",
        why="",
        fields=tuple(edit.field for edit in edits),
        evidence=Evidence(file=None, line=None, text=""),
        effect=Effect(metric="speed", basis="none"),
        semantics=semantics,
        edits=edits,
        sources=(Source(title="", url="https://example.org", as_of="2026"),),
    )


def planned(request: AuditRequest, *findings: Finding) -> tuple[list[str], list[LeftOut]]:
    workload, services = read(request)
    choices = [Choice(one) for one in findings]
    plan = plan_patch(workload, services.profile(workload), choices, services, {}, grow=False)
    return [one.rule_id for one in plan.followed], list(plan.left_out)


def edit_of(report: Report, field: str) -> Edit:
    return next(edit for edit in report.patch.edits if edit.field == field)


ROOM = frozenset({"gradient_checkpointing", "quant_bits"})
"""Kept as they are, these leave memory to the micro batch."""


@pytest.mark.parametrize("card", CARDS)
def test_whatever_the_card_the_plan_fits_it_and_keeps_the_effective_batch(card: str) -> None:
    request = request_for(QLORA, hardware=card)
    report = audit(request)
    applied = {edit.field: edit.after for edit in report.patch.edits if edit.applied}
    before = {name: report.fields[name].value for name in (MICRO, ACCUMULATION)}
    after = before | {name: applied[name] for name in before if name in applied}
    assert before[MICRO] * before[ACCUMULATION] == after[MICRO] * after[ACCUMULATION]
    assert report.before is not None
    assert not report.before.failure
    if report.after is not None:
        assert not report.after.failure
    assert all(edit.reason for edit in report.patch.edits if not edit.applied)


def test_less_memory_means_fewer_edits() -> None:
    counts = [
        sum(edit.applied for edit in audit(request_for(QLORA, hardware=card)).patch.edits)
        for card in ("l4", "a100-80gb", "mi300x")
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_memory_that_one_edit_takes_is_not_there_for_the_next() -> None:
    short = QLORA.replace("sequence_len: 2048", "sequence_len: 512")
    crowded = short.replace("micro_batch_size: 1", "micro_batch_size: 4")
    report = audit(request_for(crowded, hardware="l40s"))
    assert "batch.micro_batch_too_small" in {finding.rule_id for finding in report.findings}
    left = edit_of(report, MICRO)
    assert not left.applied
    assert "other edits" in (left.reason or "")
    assert edit_of(report, "gradient_checkpointing").applied
    roomy = audit(request_for(crowded, hardware="l40s", keep=ROOM))
    assert edit_of(roomy, MICRO).applied


def test_an_edit_that_changes_the_effective_batch_is_not_neutral() -> None:
    twice = finding(FieldEdit(field=MICRO, value=2))
    followed, (left,) = planned(request_for(AXOLOTL), twice)
    assert followed == []
    assert "effective batch from 8 to 16" in left.why.text
    told = finding(FieldEdit(field=MICRO, value=2), semantics="dynamics")
    assert planned(request_for(AXOLOTL), told) == (["batch.made_up"], [])
    both = finding(FieldEdit(field=MICRO, value=2), FieldEdit(field=ACCUMULATION, value=4))
    assert planned(request_for(AXOLOTL), both) == (["batch.made_up"], [])


def test_an_edit_after_which_the_run_would_not_fit_is_left_out() -> None:
    off = finding(FieldEdit(field="gradient_checkpointing", value=False), rule="memory.made_up")
    large = finding(
        FieldEdit(field=MICRO, value=8),
        FieldEdit(field=ACCUMULATION, value=1),
        rule="batch.micro_batch_too_small",
    )
    request = request_for(AXOLOTL, hardware="a100-80gb")
    assert planned(request, off) == (["memory.made_up"], [])
    assert planned(request, large) == (["batch.micro_batch_too_small"], [])
    tight = request_for(AXOLOTL, hardware="rtx-4090")
    followed, (left,) = planned(tight, large)
    assert followed == []
    assert "would not fit" in left.why.text


def test_a_rule_that_no_longer_fires_is_not_followed() -> None:
    first = finding(FieldEdit(field="gradient_checkpointing", value=False))
    again = finding(
        FieldEdit(field="gradient_checkpointing", value=False),
        rule="memory.checkpointing_not_needed",
    )
    followed, (left,) = planned(request_for(AXOLOTL), first, again)
    assert followed == ["batch.made_up"]
    assert "No longer applies" in left.why.text


def test_what_follows_from_an_edit_is_derived_again() -> None:
    workload, _ = read(request_for(SCRIPT, "train.py"))
    assert (workload.value("compute_dtype"), workload.value("effective_batch")) == ("fp32", 8)
    changed = with_edits(
        workload, [FieldEdit(field="bf16", value=True), FieldEdit(field=MICRO, value=4)]
    )
    assert changed.value("compute_dtype") == "bf16"
    assert changed.value("effective_batch") == 32
    assert effective_batch(changed) == 32
    assert changed.fingerprint != workload.fingerprint
    assert workload.value("effective_batch") == 8


def test_half_of_a_pair_is_never_written() -> None:
    line = "per_device_train_batch_size=1,  # small"
    text = SCRIPT.replace(line, f'per_device_train_batch_size=1, hub_token="{TOKEN}",')
    report = audit(request_for(text, "train.py"))
    whole = audit(request_for(SCRIPT, "train.py"))
    assert edit_of(whole, MICRO).applied
    assert edit_of(whole, ACCUMULATION).applied
    for field in (MICRO, ACCUMULATION):
        edit = edit_of(report, field)
        assert not edit.applied
        assert edit.reason
        assert edit.advice
    assert "gradient_accumulation_steps=8" not in "".join(
        line for line in report.patch.diff.splitlines() if line.startswith("-")
    )
    assert report.patch.diff
    assert TOKEN not in report.model_dump_json()


def test_fields_to_keep_are_kept() -> None:
    report = audit(request_for(QLORA, keep=frozenset({MICRO, "quant_bits"})))
    for field in (MICRO, "quant_bits"):
        assert not edit_of(report, field).applied
    assert "micro_batch_size" not in report.patch.diff.replace(" micro_batch_size: 1\n", "")
    assert edit_of(report, "gradient_checkpointing").applied


def test_what_fires_only_later_and_cannot_be_written_is_left_out_once() -> None:
    secret = "hf_" + "abcdefghijklmnopqrstuvwx"
    text = AXOLOTL.replace("bf16: true", "bf16: false").replace(
        "gradient_checkpointing: true", f"gradient_checkpointing: true  # {secret}"
    )
    text = text.replace("micro_batch_size: 1 ", "micro_batch_size: 2 ").replace("2048", "8192")
    report = audit(request_for(text))
    assert edit_of(report, "bf16").applied
    checkpointing = [e for e in report.patch.edits if e.field == "gradient_checkpointing"]
    assert not any(edit.applied for edit in checkpointing)
    assert secret not in report.model_dump_json()


def test_changed_lines_are_counted_whatever_the_file_is_called() -> None:
    report = audit(replace(request_for(STOPS), uploads=(Upload("träin 1.yml", STOPS.encode()),)))
    (file,) = report.patch.files
    assert (file.name, file.added > 0, file.removed > 0) == ("träin 1.yml", True, True)


def test_memory_goes_where_it_buys_most() -> None:
    report = audit(request_for(AXOLOTL, hardware="h100-sxm"))
    kept = edit_of(report, "gradient_checkpointing")
    assert (kept.applied, kept.cause) == (False, "no_room")
    assert "(projected)" in (kept.reason or "")
    assert edit_of(report, MICRO).after == 4
    both = audit(request_for(AXOLOTL, hardware="h100-sxm", keep=frozenset({MICRO, ACCUMULATION})))
    assert edit_of(both, "gradient_checkpointing").applied
    assert report.after is not None
    assert both.after is not None
    assert report.after.step_s.value < both.after.step_s.value
    roomy = audit(request_for(AXOLOTL, hardware="mi300x"))
    assert edit_of(roomy, "gradient_checkpointing").applied
    assert edit_of(roomy, MICRO).applied
