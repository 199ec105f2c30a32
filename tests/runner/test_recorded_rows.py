"""Verdicts on the steps of real A/A runs that are kept with the benchmarks."""

from __future__ import annotations

import json

import pytest

from audit.records.comparison import Clock
from benchmarks.aa import ROWS, read_rows, sped_up, stopped, verdict

RUNS = [read_rows(one["rows"]) for one in json.loads(ROWS.read_text())["runs"]]
clocks = pytest.mark.parametrize("clock", ["cpu", "wall"])


@clocks
def test_equal_runs_are_seldom_called_different(clock: Clock) -> None:
    assert len(RUNS) >= 20
    assert sum(verdict(rows, clock) != "no_difference" for rows in RUNS) <= 2


@clocks
def test_half_again_as_fast_is_found(clock: Clock) -> None:
    found = sum(verdict(stopped(sped_up(rows), clock), clock) == "faster" for rows in RUNS)
    assert found >= 0.8 * len(RUNS)
