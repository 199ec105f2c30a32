"""What records promise beyond their fields."""

from __future__ import annotations

from audit.records.measured import MeasuredArm
from audit.records.spec import Arm, Spec
from audit.records.workload import FieldValue, Workload

WRITTEN = Workload(
    name="a.yml",
    format="axolotl_yaml",
    framework="axolotl",
    files=(),
    fields={"bf16": FieldValue(value=False, origin="stated", line=3)},
    versions={},
)


def test_a_changed_copy_has_its_own_fingerprint() -> None:
    before = WRITTEN.fingerprint
    changed = WRITTEN.with_values({"bf16": True})
    assert changed.fingerprint != before
    assert changed.with_values({"bf16": False}).fingerprint == before
    assert WRITTEN.fingerprint == before


def test_a_fingerprint_is_of_values_not_places() -> None:
    moved = WRITTEN.model_copy(
        update={"fields": {"bf16": FieldValue(value=False, origin="default")}, "name": "b.yml"}
    )
    assert moved.fingerprint == WRITTEN.fingerprint


def test_conditions_are_of_the_run_not_of_what_runs() -> None:
    spec = Spec(arms=(Arm(name="baseline", workload=WRITTEN),), hardware="mi300x")
    assert spec.conditions == spec.model_copy(update={"arms": ()}).conditions
    assert spec.conditions != spec.model_copy(update={"steps": 10}).conditions


def test_measured_rows_survive_the_log_and_know_which_were_timed() -> None:
    row = {
        "arm": "baseline", "round": 0, "index": 3, "place": 1, "seconds": 0.5, "cpu_seconds": 0.4,
        "samples": 8, "real_tokens": 800, "padded_tokens": 2048, "loss": 7.6, "grad_norm": 1.2,
        "data_wait_s": 0.01,
    }  # fmt: skip
    warm = {**row, "round": -1, "index": 0}
    arm = MeasuredArm.model_validate({"arm": "baseline", "rows": [warm, row]})
    assert [one.index for one in arm.timed] == [3]
    assert MeasuredArm.model_validate_json(arm.model_dump_json()) == arm
