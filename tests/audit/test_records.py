"""What records promise beyond their fields."""

from __future__ import annotations

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
