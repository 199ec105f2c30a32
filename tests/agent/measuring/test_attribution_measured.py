"""Real runs on this machine: an edit that crashes or slows down is found, dropped and told."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

import pytest

from agent.measuring.attribution import BLAME_SECONDS
from agent.report import Made, build_report
from agent.state import AFTER
from runner.local_box import local_id
from tests.agent.measured_audits import Measured, measured_audit, python_with, suggestion

pytestmark = pytest.mark.skipif(local_id() != "cpu", reason="sized for a machine without a GPU")

FILE = """\
base_model: HuggingFaceTB/SmolLM2-135M
datasets:
  - {path: a/b, type: alpaca}
sequence_len: 64
pad_to_sequence_len: PADDED
micro_batch_size: MICRO
gradient_accumulation_steps: PASSES
gradient_checkpointing: RECOMPUTED
learning_rate: 2e-5
optimizer: adamw_torch
bf16: false
fp16: false
tf32: false
ATTENTION: true
dataloader_num_workers: 0
"""
NO_COMPILER = "CXX=/bin/false"
COMPILE = suggestion("compile", "numerics", torch_compile=True)
RECOMPUTE = suggestion("recompute", "neutral", gradient_checkpointing=True)


def file_with(**values: str) -> str:
    plain = {"PADDED": "false", "MICRO": "8", "PASSES": "1", "RECOMPUTED": "false",
             "ATTENTION": "sdp_attention"}  # fmt: skip
    text = FILE
    for name, value in {**plain, **values}.items():
        text = text.replace(name, value)
    return text


def told(audit: Measured) -> dict[str, object]:
    """The report, with what it says of the guilty edit checked."""
    state = audit.state
    assert state.attribution is not None
    made = build_report(state, audit.services, Made(tier=0, completed_by="rules", seconds=1.0))
    assert any(notice.message == state.attribution.told for notice in made.notices)
    assert any("Dropped after measuring" in text for text in audit.said)
    found: dict[str, object] = json.loads(made.model_dump_json())
    return found


def numbers(audit: Measured) -> str:
    """For a reader of the test's output."""
    found, compared = audit.state.attribution, audit.state.comparison
    assert found is not None
    assert compared is not None
    speed = compared.speedup
    told_of = f"{speed.value:.2f} [{speed.low:.2f}, {speed.high:.2f}]" if speed else "none"
    runs = [(one.rule_ids, one.verdict) for one in found.runs]
    return (
        f"{found.told} Staged: {runs} in {found.seconds:.0f} s. Rest: {compared.verdict} {told_of}"
    )


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler to find broken")
def test_a_crash_is_blamed_on_the_edit_that_crashes(tmp_path: Path) -> None:
    """Two edits; torch.compile really meets a compiler that does not work."""
    audit = measured_audit(
        file_with(RECOMPUTED="true"), [COMPILE], python=python_with(tmp_path, NO_COMPILER), steps=6
    )
    found = audit.state.attribution
    assert found is not None
    print(numbers(audit))
    assert [one.fields for one in found.dropped] == [("torch_compile",)]
    assert found.dropped[0].verdict == "failed"
    assert "compiler" in found.dropped[0].reason.lower()
    assert audit.applied() == {"gradient_checkpointing"}
    report = told(audit)
    assert "torch_compile" not in str(report["patch"]["diff"])  # type: ignore[index]


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler to find broken")
def test_of_four_edits_the_crashing_one_goes_and_the_rest_is_proven_faster(tmp_path: Path) -> None:
    audit = measured_audit(
        file_with(PADDED="true", MICRO="1", PASSES="8", RECOMPUTED="true"),
        [COMPILE],
        python=python_with(tmp_path, NO_COMPILER),
        steps=25,
    )
    state, found = audit.state, audit.state.attribution
    assert found is not None
    print(numbers(audit))
    assert [one.fields for one in found.dropped] == [("torch_compile",)]
    assert found.dropped[0].verdict == "failed"
    assert len(found.runs) <= 2, "bisection of four groups"
    assert found.seconds <= BLAME_SECONDS + 120, "the whole rest was measured once more"
    assert {"gradient_checkpointing", "pad_to_max_length", "per_device_train_batch_size"} <= (
        audit.applied()
    )
    assert state.comparison is not None
    assert state.comparison.verdict == "faster"
    assert state.comparison.loss_parity == "same"
    assert state.patched is not None
    assert state.patched.value("torch_compile") is not True
    told(audit)


@pytest.mark.long
def test_the_edit_that_slows_down_is_found_and_dropped() -> None:
    """Recomputing every layer costs about a third of a step on any processor."""
    audit = measured_audit(file_with(ATTENTION="eager_attention"), [RECOMPUTE], steps=50)
    state, found = audit.state, audit.state.attribution
    assert found is not None
    print(numbers(audit))
    assert [one.fields for one in found.dropped] == [("gradient_checkpointing",)]
    assert found.dropped[0].verdict == "slower"
    assert "is slower" in found.dropped[0].reason
    assert found.seconds <= BLAME_SECONDS + 120
    assert audit.applied() == {"attn_implementation"}
    bench = state.bench(AFTER)
    assert bench is not None
    assert bench.measured is not None
    assert set(bench.measured.translation.edits) == {"attn_implementation"}, "measured without it"
    assert state.comparison is not None
    assert state.comparison.verdict in ("faster", "no_difference")
    told(audit)


@pytest.mark.long
@pytest.mark.skipif(platform.machine() != "x86_64", reason="holds oneDNN to AVX2")
def test_half_precision_is_dropped_where_the_processor_has_none(tmp_path: Path) -> None:
    """bf16 on a box whose processor is told to be one of before bf16."""
    half = suggestion("half", "numerics", bf16=True)
    old = python_with(tmp_path, "ONEDNN_MAX_CPU_ISA=AVX2")
    audit = measured_audit(file_with(ATTENTION="eager_attention"), [half], python=old, steps=50)
    found = audit.state.attribution
    assert found is not None
    print(numbers(audit))
    assert [(one.fields, one.verdict) for one in found.dropped] == [(("bf16",), "slower")]
    assert audit.applied() == {"attn_implementation"}
    told(audit)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler")
def test_compiled_code_runs_is_read_back_and_compared() -> None:
    audit = measured_audit(file_with(), [COMPILE], steps=50)
    state = audit.state
    bench = state.bench(AFTER)
    assert bench is not None
    assert bench.measured is not None
    patched = bench.measured.arm("patched")
    assert patched is not None
    assert patched.failure is None
    seen = [row for row in patched.readback if row.field == "torch_compile"]
    assert len(seen) == 2
    assert all(row.effective for row in seen)
    assert "graphs" in seen[1].seen
    assert state.comparison is not None
    print(state.comparison.verdict, state.comparison.speedup, seen[1].seen)
    assert state.comparison.verdict in ("faster", "slower", "no_difference")
    assert state.comparison.loss_parity == "same"
