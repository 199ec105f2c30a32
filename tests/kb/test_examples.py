"""The examples through the real parts: what is found, patched, and left to choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.records.finding import Finding
from audit.records.upload import Upload
from audit.records.workload import DataLengths
from kb.catalog.hardware import find_hardware
from kb.choose import choose_findings
from kb.match import Matches, match_rules
from runner.estimator.profile import profile_workload
from workload.patch import edit_workload
from workload.read import read_workload

EXAMPLES = Path(__file__).parents[2] / "examples"
FOUND: dict[str, set[str]] = {
    "trl-sft-tutorial.py": {
        "attention.eager",
        "batch.micro_batch_too_small",
        "data.no_loader_workers",
        "env.debug_switches",
        "memory.checkpointing_not_needed",
        "memory.lora_base_in_fp32",
        "precision.fp32_compute",
    },
    "trl-sft-notebook.ipynb": {
        "attention.eager",
        "batch.micro_batch_too_small",
        "data.no_loader_workers",
        "memory.checkpointing_not_needed",
        "optim.eight_bit_for_lora",
        "precision.fp16_on_instinct",
    },
    "launch-lora.sh": {
        "attention.eager",
        "batch.micro_batch_too_small",
        "data.no_loader_workers",
        "memory.checkpointing_not_needed",
        "precision.fp16_on_instinct",
    },
    "axolotl-lora-tf32.yml": {"precision.tf32_on_rocm", "memory.checkpointing_not_needed"},
    "axolotl-qlora-192gb.yml": {
        "attention.eager",
        "batch.micro_batch_too_small",
        "memory.checkpointing_not_needed",
        "optim.eight_bit_for_lora",
        "quant.not_needed_to_fit",
    },
    "llamafactory-packing.yaml": {
        "correct.packing_mixes_documents",
        "memory.checkpointing_not_needed",
    },
    "llamafactory-well-tuned.yaml": set(),
}


def upload(name: str) -> tuple[Upload]:
    return (Upload(name, (EXAMPLES / name).read_bytes()),)


def matched(
    uploads: tuple[Upload, ...], hardware: str = "mi300x", lengths: DataLengths | None = None
) -> Matches:
    card = find_hardware(hardware)
    workload = read_workload(uploads, lengths=lengths)
    return match_rules(workload, profile_workload(workload, card, 1, 1), card)


def finding(matches: Matches, rule_id: str) -> Finding:
    return next(one for one in matches.findings if one.rule_id == rule_id)


def test_every_example_is_told_of() -> None:
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert files == set(FOUND)
    table = (EXAMPLES / "README.md").read_text()
    assert all(f"[{name}]({name})" in table for name in files)


@pytest.mark.parametrize("name", FOUND)
def test_finds(name: str) -> None:
    matches = matched(upload(name))
    assert {one.rule_id for one in matches.findings} == FOUND[name]
    assert len(matches.checked) >= 10
    assert not {check.rule_id for check in matches.checked} & FOUND[name]


@pytest.mark.parametrize("name", FOUND)
def test_the_chosen_edits_are_made_and_leave_nothing_to_choose(name: str) -> None:
    uploads = upload(name)
    chosen = [c.finding for c in choose_findings(matched(uploads).findings) if c.chosen]
    edited = edit_workload(uploads, [edit for one in chosen for edit in one.edits])
    assert [outcome for outcome in edited.outcomes if not outcome.applied] == []
    again = choose_findings(matched(edited.uploads).findings)
    assert [choice.finding.rule_id for choice in again if choice.chosen] == []


@pytest.mark.parametrize("name", FOUND)
def test_evidence_is_a_line_of_the_file(name: str) -> None:
    lines = (EXAMPLES / name).read_text().splitlines()
    for one in matched(upload(name)).findings:
        shown = one.evidence
        if shown.line is None:
            assert "(default of " in shown.text
            continue
        assert shown.file == name
        value = shown.text.partition("=" if name.endswith(".py") else ": ")[2]
        assert value.strip("'\"") in lines[shown.line - 1], shown.text


def test_the_fatal_line_heads_the_list() -> None:
    first = matched(upload("axolotl-lora-tf32.yml")).findings[0]
    assert first.stops_run
    assert first.severity == "critical"
    assert first.evidence.text == "tf32: true"
    nvidia = matched(upload("axolotl-lora-tf32.yml"), "h100-sxm")
    assert not any(one.stops_run for one in nvidia.findings)


def test_what_changes_training_is_offered_at_the_top() -> None:
    matches = matched(upload("llamafactory-packing.yaml"))
    assert matches.findings[0].rule_id == "correct.packing_mixes_documents"
    choices = {c.finding.rule_id: c for c in choose_findings(matches.findings)}
    assert not choices["correct.packing_mixes_documents"].chosen


def test_a_small_card_keeps_what_saves_memory() -> None:
    small = matched(upload("axolotl-qlora-192gb.yml"), "rtx-4090")
    fired = {one.rule_id for one in small.findings}
    assert not fired & {"quant.not_needed_to_fit", "memory.checkpointing_not_needed"}


def test_stated_lengths_bring_packing_into_view() -> None:
    lengths = DataLengths(p50=310, p95=900, max=2048, origin="stated", source="--lengths")
    uploads = upload("axolotl-qlora-192gb.yml")
    offered = finding(matched(uploads, lengths=lengths), "data.short_rows")
    assert offered.semantics == "dynamics"
    assert "310 tokens" in offered.title
    assert "data.short_rows" not in {one.rule_id for one in matched(uploads).findings}
