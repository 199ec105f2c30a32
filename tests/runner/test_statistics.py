"""The interval of paired rounds: coverage, power, order, and what it refuses to use."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from audit.records.measured import MeasuredRun, StepRow
from runner.compare import FASTER, SLOWER
from runner.statistics import (
    blocks_of,
    bootstrap,
    clock_of,
    detectable,
    estimate,
    half_width,
    log_ratios,
)
from tests.runner.measured_runs import RECIPE, row, rows, run_of


def called(found: list[StepRow]) -> bool:
    one = estimate(found, "cpu")
    assert one is not None
    return one.low > math.log(FASTER) or one.high < math.log(SLOWER)


@pytest.mark.parametrize("kept", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.4])
def test_no_difference_is_seldom_called_one(kept: float, noise: float) -> None:
    """Also where slow phases of the box last for several rounds."""
    alarms = sum(called(rows(noise=noise, kept=kept, seed=seed)) for seed in range(120))
    assert alarms <= 9  # 5% of 120 are 6; 10 or more come by chance in 5% of such counts at 5%


@pytest.mark.parametrize("rounds", [4, 6, 8, 12, 25])
def test_the_interval_holds_the_truth(rounds: int) -> None:
    """A plain percentile interval of four blocks holds it in 80%; the stretched one in 95%."""
    held = 0
    for seed in range(200):
        found = estimate(rows(1.3, rounds=rounds, seed=seed), "cpu")
        assert found is not None
        held += found.low <= math.log(1.3) <= found.high
    assert held / 200 >= 0.91


def test_half_again_as_fast_is_found_in_a_default_run() -> None:
    assert sum(called(rows(1.5, noise=0.3, kept=0.5, seed=seed)) for seed in range(60)) >= 48


@given(some.floats(0.2, 5.0), some.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_known_ratio_comes_back(ratio: float, seed: int) -> None:
    found = estimate(rows(ratio, noise=0.01, seed=seed), "cpu")
    assert found is not None
    assert math.exp(found.value) == pytest.approx(ratio, rel=0.02)


@given(some.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_rows_means_nothing(mixed: random.Random) -> None:
    found = rows(1.2, seed=3)
    other = list(found)
    mixed.shuffle(other)
    there, back = estimate(found, "wall"), estimate(other, "wall")
    assert there is not None
    assert back is not None
    assert there.low == pytest.approx(back.low)
    assert there.high == pytest.approx(back.high)


@given(some.lists(some.floats(-1, 1), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_interval_holds_its_value_and_turns_round(values: list[float]) -> None:
    there, back = bootstrap(values), bootstrap([-value for value in values])
    assert there.low <= there.value <= there.high
    assert there.value == pytest.approx(-back.value, abs=1e-12)


def test_going_first_and_a_drift_cancel() -> None:
    """Whoever goes first is 20% slower, and the box slows down by half over the run."""
    found = []
    for one in rows(noise=0.0, rounds=24):
        late = 1 + one.round / 48
        slow = 1.2 if one.place == 0 else 1.0
        found.append(one.model_copy(update={"cpu_seconds": late * slow}))
    one = estimate(found, "cpu")
    assert one is not None
    assert one.value == pytest.approx(0.0, abs=1e-9)
    assert one.half < 1e-9


def test_tokens_are_those_of_the_timed_steps() -> None:
    """A step that holds half the tokens in half the time is no faster."""
    found = rows(noise=0.0)
    halved = [
        one.model_copy(update={"real_tokens": 400, "cpu_seconds": 0.5})
        if one.arm == "patched" and one.round % 3 == 0
        else one
        for one in found
    ]
    assert set(log_ratios(halved, "cpu").values()) == {0.0}


def test_warm_up_and_rounds_without_a_partner_stay_out() -> None:
    found = rows(noise=0.0, rounds=5)
    found += [row("baseline", 99, round=-1, seconds=50.0), row("baseline", 98, round=9)]
    assert len(log_ratios(found, "wall")) == 5
    assert len(blocks_of(log_ratios(found, "wall"))) == 2


def test_too_little_is_no_estimate() -> None:
    assert estimate(rows(rounds=3), "cpu") is None
    assert estimate([one.model_copy(update={"cpu_seconds": None}) for one in rows()], "cpu") is None
    assert half_width(rows(rounds=1), ("baseline", "patched"), "cpu") == math.inf


def test_the_stop_rule_and_the_verdict_mean_the_same_width() -> None:
    found = rows(noise=0.2, rounds=24)
    one = estimate(found, "cpu")
    assert one is not None
    assert half_width(found, ("baseline", "patched"), "cpu") == pytest.approx(one.half, rel=0.15)
    assert half_width(found, ("baseline",), "cpu") < math.inf


def test_four_of_five_find_the_detectable_effect() -> None:
    one = estimate(rows(noise=0.2), "cpu")
    assert one is not None
    effect = detectable(one, FASTER)
    finds = sum(called(rows(1 + effect, noise=0.2, seed=seed)) for seed in range(1, 101))
    assert 55 <= finds <= 98  # the error of one run is itself an estimate


def test_cpu_time_decides_only_where_it_holds_all_the_work() -> None:
    loaders = RECIPE.model_copy(update={"loader": RECIPE.loader.model_copy(update={"workers": 2})})

    def chosen(run: MeasuredRun) -> str:
        timed = [one for arm in run.arms for one in arm.timed]
        return clock_of(run.manifest, run.translation.arms, timed).clock

    assert chosen(run_of(rows())) == "cpu"
    assert chosen(run_of(rows(), device_kind="cuda", device="a card")) == "wall"
    assert chosen(run_of(rows(), ranks=2)) == "wall"
    assert chosen(run_of(rows(), threads=2)) == "wall"
    assert chosen(run_of(rows(), recipes=(RECIPE, loaders))) == "wall"
    untimed = [one.model_copy(update={"cpu_seconds": None}) for one in rows()]
    assert chosen(run_of(untimed)) == "wall"
