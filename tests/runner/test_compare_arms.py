"""Two arms against each other: refusals, verdicts, and the interval of a projected ratio."""

from __future__ import annotations

import math

import pytest

from audit.records.base import Interval, Json
from audit.records.comparison import Comparison
from audit.records.metrics import Metrics
from audit.records.spec import Arm, Spec
from runner.compare import FASTER, SLOWER, compare_arms
from runner.fake import FakeRunner
from tests.runner.stated_workloads import make_workload


def arms(**patched: Json) -> tuple[Metrics, Metrics]:
    runner = FakeRunner()
    asked = Spec(
        arms=(
            Arm(name="baseline", workload=make_workload()),
            Arm(name="patched", workload=make_workload(**patched)),
        ),
        hardware="mi300x",
    )
    before, after = runner.collect(runner.submit(asked), "bench_1").arms
    return before, after


def compared(before: Metrics, after: Metrics) -> Comparison:
    return compare_arms(before, after, before_id="bench_1", after_id="bench_2")


def test_identical_is_exactly_one() -> None:
    found = compared(*arms())
    assert found.speedup == Interval(low=1, value=1, high=1)
    assert found.verdict == "no_difference"
    assert found.minimum_detectable_effect == pytest.approx(FASTER - 1)


def test_packing_is_faster() -> None:
    before, after = arms(packing=True)
    found = compared(before, after)
    assert found.verdict == "faster"
    assert found.speedup is not None
    assert before.tokens_per_s is not None
    assert after.tokens_per_s is not None
    assert found.speedup.value == after.tokens_per_s.value / before.tokens_per_s.value
    assert found.speedup.low > FASTER
    assert (found.confidence, found.provenance) == (0.8, "projected")
    assert found.loss_parity == "not_run"


def test_a_ratio_is_known_better_than_its_parts() -> None:
    before, after = arms(liger=True)
    found = compared(before, after).speedup
    assert found is not None
    assert before.tokens_per_s is not None
    alone = math.log(before.tokens_per_s.high / before.tokens_per_s.value)
    assert math.log(found.high / found.value) < alone


def test_turned_round_it_is_slower() -> None:
    before, after = arms(packing=True)
    there, back = compared(before, after), compared(after, before)
    assert back.verdict == "slower"
    assert there.speedup is not None
    assert back.speedup is not None
    assert back.speedup.value == pytest.approx(1 / there.speedup.value)
    assert back.speedup.high < SLOWER


def test_a_small_change_is_no_difference() -> None:
    found = compared(*arms(optimizer="adamw_torch"))
    assert found.verdict == "no_difference"
    assert found.minimum_detectable_effect is not None
    assert found.minimum_detectable_effect > FASTER - 1


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("provenance", "measured", "provenance"),
        ("anchored", True, "anchored"),
        ("hardware", "h100-sxm", "hardware"),
        ("gpus", 8, "gpus"),
        ("nodes", 2, "nodes"),
        ("steps", 10, "steps"),
        ("runner", "local", "runner"),
        ("memory_kind", "reserved", "memory kind"),
    ],
)
def test_unlike_conditions_are_refused(field: str, value: Json, named: str) -> None:
    before, after = arms(packing=True)
    found = compared(before, after.model_copy(update={field: value}))
    assert found.verdict == "not_comparable"
    assert named in found.reason
    assert found.speedup is None


def test_a_failed_arm_is_a_result() -> None:
    before, after = arms(packing=True)
    failed = after.model_copy(update={"failure": "out of memory at step 3", "tokens_per_s": None})
    found = compared(before, failed)
    assert found.verdict == "failed"
    assert "out of memory at step 3" in found.reason
    assert found.speedup is None
    assert "before the patch" in compared(failed, before).reason


def test_measured_arms_use_their_own_intervals() -> None:
    before, after = (
        arm.model_copy(update={"provenance": "measured", "runner": "local"}) for arm in arms()
    )
    before = before.model_copy(update={"tokens_per_s": Interval(low=99, value=100, high=101)})
    after = after.model_copy(
        update={"tokens_per_s": Interval(low=118, value=120, high=122), "workload": "other"}
    )
    found = compared(before, after)
    assert found.verdict == "faster"
    assert found.confidence == 0.95
    assert found.speedup is not None
    assert 1.17 < found.speedup.low < found.speedup.value == pytest.approx(1.2)
