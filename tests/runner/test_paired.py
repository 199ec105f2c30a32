"""Verdicts on measured pairs: clock, counts, failures, and whether both trained the same."""

from __future__ import annotations

import pytest

from audit.records.base import Interval, Json
from audit.records.comparison import Comparison
from audit.records.finding import Semantics
from audit.records.measured import ArmFailure, MeasuredRun, StepRow
from audit.records.metrics import Metrics
from audit.records.translated import Lora
from runner.compare import compare_arms
from tests.runner.measured_runs import RECIPE, rows, run_of

LORA = Lora(rank=8, alpha=16, dropout=0.1, targets=("q_proj",))


def metrics(arm: str, **values: Json) -> Metrics:
    one = Interval(low=90, value=100, high=110)
    base = {
        "arm": arm, "workload": arm, "runner": "local", "provenance": "measured",
        "hardware": "cpu", "gpus": 1, "nodes": 1, "steps": 50, "tokens_per_s": one,
    }  # fmt: skip
    return Metrics.model_validate(base | values)


def compared(run: MeasuredRun, semantics: Semantics = "neutral", **after: Json) -> Comparison:
    return compare_arms(
        metrics("baseline"),
        metrics("patched", **after),
        before_id="bench_1",
        after_id="bench_2",
        measured=run,
        semantics=semantics,
    )


def test_faster_by_the_rounds_not_by_the_two_figures() -> None:
    """Both arms show the same 100 tokens a second here; only the pairs tell."""
    found = compared(run_of(rows(1.5)))
    assert found.verdict == "faster"
    assert found.speedup is not None
    assert found.speedup.low < 1.5 < found.speedup.high
    assert (found.rounds, found.steps, found.clock) == (24, 48, "cpu")
    assert (found.interval_kind, found.confidence) == ("paired_rounds", 0.95)
    assert found.minimum_detectable_effect is not None
    assert 0.03 < found.minimum_detectable_effect < 0.3
    assert "24 paired rounds, 48 steps" in found.reason
    assert "process CPU time" in found.reason


def test_slower_and_no_difference() -> None:
    assert compared(run_of(rows(0.7))).verdict == "slower"
    assert compared(run_of(rows(1.0))).verdict == "no_difference"


def test_cpu_time_sees_what_elapsed_time_cannot() -> None:
    found = compared(run_of(rows(1.2, noise=0.05, wall=30.0)))
    assert found.verdict == "faster"
    assert found.other_clock is not None
    assert found.other_clock.low < 1.03 < found.other_clock.high
    assert "By elapsed time" in found.reason


def test_with_loader_processes_elapsed_time_decides() -> None:
    loaders = RECIPE.model_copy(update={"loader": RECIPE.loader.model_copy(update={"workers": 2})})
    found = compared(run_of(rows(1.5), recipes=(RECIPE, loaders)))
    assert found.clock == "wall"
    assert "loader processes" in found.reason


def test_three_rounds_are_no_verdict() -> None:
    found = compared(run_of(rows(3.0, rounds=3)))
    assert found.verdict == "not_comparable"
    assert found.speedup is None


def test_a_failure_is_named_and_has_no_speed() -> None:
    failure = ArmFailure(kind="out_of_memory", step=3, exception="OutOfMemoryError", message="")
    run = run_of(rows(1.5), failure=failure)
    found = compared(run, failure="out of memory at step 3", tokens_per_s=None)
    assert found.verdict == "failed"
    assert "out of memory at step 3" in found.reason
    assert found.speedup is None


def test_a_patch_that_this_box_cannot_show_is_not_called_a_failure() -> None:
    failure = ArmFailure(kind="nothing_measured", message="tf32: tf32 needs a GPU")
    found = compared(run_of([], failure=failure), failure="x", tokens_per_s=None)
    assert found.verdict == "not_comparable"
    assert "tf32 needs a GPU" in found.reason


def shifted(ratio: float = 1.0, **factors: float) -> list[StepRow]:
    """The patched arm's values times a factor."""
    return [
        one.model_copy(update={name: getattr(one, name) * by for name, by in factors.items()})
        if one.arm == "patched"
        else one
        for one in rows(ratio)
    ]


@pytest.mark.parametrize(
    ("semantics", "loss", "norm", "verdict"),
    [
        ("neutral", 1 + 2e-7, 1 + 1e-7, "same"),
        ("neutral", 1 + 7e-3, 1 + 7e-2, "differs"),
        ("neutral", 1 + 1e-7, 1 + 1e-3, "differs"),
        ("numerics", 1 + 3e-5, 1 + 2e-3, "same"),
        ("numerics", 1 + 4.6e-2, 1 + 0.16, "differs"),
        ("numerics", 1 + 1e-4, 1 + 7e-2, "differs"),
        ("neutral", float("nan"), 1.0, "differs"),
    ],
)
def test_loss_parity(semantics: Semantics, loss: float, norm: float, verdict: str) -> None:
    found = compared(run_of(shifted(loss=loss, grad_norm=norm)), semantics)
    assert found.loss_parity == verdict
    assert found.parity is not None
    assert (found.parity.kind, found.parity.steps) == ("stepwise", 8)


def test_rounding_of_half_precision_is_allowed_for() -> None:
    half = RECIPE.model_copy(update={"precision": "bf16"})
    run = run_of(shifted(loss=1 + 1e-3, grad_norm=1 + 1e-2), recipes=(half, half))
    assert compared(run).loss_parity == "same"


def test_edits_of_what_is_learned_have_no_step_to_compare() -> None:
    found = compared(run_of(shifted(loss=1.1)), "dynamics")
    assert found.loss_parity == "not_run"
    assert found.parity is not None
    assert found.parity.kind == "window"
    assert found.parity.loss == pytest.approx(0.0909, abs=1e-3)
    assert "before" in found.parity.reason


def test_other_samples_in_a_step_have_none_either() -> None:
    found = compared(run_of(shifted(samples=2)))
    assert found.loss_parity == "not_run"
    assert found.parity is not None
    assert "other samples" in found.parity.reason


def test_dropout_in_another_shape_has_none_either() -> None:
    one = RECIPE.model_copy(update={"lora": LORA})
    other = one.model_copy(update={"micro_batch": 8, "accumulation": 1})
    found = compared(run_of(rows(), recipes=(one, other)))
    assert found.loss_parity == "not_run"
    assert compared(run_of(rows(), recipes=(one, one))).loss_parity == "same"
