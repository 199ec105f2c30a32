"""Turns, warm-up and the stop rule, on numbers."""

from __future__ import annotations

import math
import random

from audit.records.base import ArmName
from audit.records.measured import StepRow
from audit.records.spec import Stop
from runner.statistics import half_width
from runner.worker.sampling import read_amd, read_nvidia
from runner.worker.schedule import is_narrow, is_warm, steps_per_round, turn_of

BOTH: tuple[ArmName, ...] = ("baseline", "patched")


def rows(noise: float, rounds: int, ratio: float = 1.0) -> list[StepRow]:
    drawn = random.Random(1)
    return [
        StepRow(
            arm=arm, round=number, index=number, place=0, samples=8, real_tokens=800,
            padded_tokens=1000, loss=1.0, grad_norm=1.0, data_wait_s=0.0,
            seconds=math.exp(drawn.gauss(0, noise)) / (ratio if arm == "patched" else 1.0),
        )
        for number in range(rounds)
        for arm in BOTH
    ]  # fmt: skip


def test_arms_change_places_every_round() -> None:
    assert [turn_of(BOTH, number)[0] for number in range(4)] == [
        "baseline", "patched", "baseline", "patched",
    ]  # fmt: skip


def test_many_steps_still_make_few_rounds() -> None:
    assert steps_per_round(8) == 1
    assert steps_per_round(50) == 2
    assert 25 <= 1000 / steps_per_round(1000) < 50


def test_warm_up_lasts_until_times_settle_but_not_forever() -> None:
    assert not is_warm([9.0, 1.0])
    assert not is_warm([9.0, 3.0, 1.0])
    assert is_warm([9.0, 1.0, 1.0, 1.02])
    assert is_warm([1.0, 2.0] * 5)


def test_the_stop_looks_at_width_and_never_at_the_side() -> None:
    stop = Stop(half_width=0.05, least_rounds=8)
    assert is_narrow(rows(0.02, 10), BOTH, stop)
    assert not is_narrow(rows(0.02, 5), BOTH, stop)
    assert not is_narrow(rows(0.3, 10), BOTH, stop)
    faster, slower = rows(0.1, 12, ratio=2.0), rows(0.1, 12, ratio=0.5)
    assert math.isclose(half_width(faster, BOTH, "wall"), half_width(slower, BOTH, "wall"))


def test_warm_up_rows_are_no_rounds() -> None:
    cold = [row.model_copy(update={"round": -1}) for row in rows(0.1, 4)]
    assert half_width(cold, BOTH, "wall") == math.inf


def test_the_makers_tools_are_read_and_what_they_do_not_know_is_left_out() -> None:
    text = "0, 87, 1755, 1593, 512.3, 61, 570.86\n1, [N/A], 1755, 1593, [N/A], 60, 570.86\n"
    (_, first), (_, second) = read_nvidia(text)
    assert first["busy"] == 0.87
    assert first["power_w"] == 512.3
    assert "busy" not in second
    old = '[{"gpu": 0, "usage": {"gfx_activity": {"value": 93, "unit": "%"}}}]'
    new = '{"gpu_data": [{"gpu": 1, "power": {"socket_power": {"value": 640, "unit": "W"}}}]}'
    assert list(read_amd(old)) == [(0, {"busy": 0.93})]
    assert list(read_amd(new)) == [(1, {"power_w": 640.0})]
    assert list(read_amd("not json")) == []


def test_a_round_is_short_enough_for_many_of_them() -> None:
    assert steps_per_round(50) == 2
    assert steps_per_round(5000) == 200
    assert steps_per_round(5000, pair_seconds=1.2, budget=240.0) == 8
    assert steps_per_round(50, pair_seconds=1.2, budget=240.0) == 2
    assert steps_per_round(50, pair_seconds=60.0, budget=240.0) == 1
