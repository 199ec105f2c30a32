"""Figures: digits, units, ratios, provenance on the element."""

from __future__ import annotations

import pytest

from audit.records.base import Interval
from ui.figures import (
    change,
    count,
    duration,
    ends,
    figure,
    number,
    spread,
    times,
    times_between,
    value_text,
    words,
)


def interval(low: float, value: float, high: float) -> Interval:
    return Interval(low=low, value=value, high=high)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((4630, 5450, 6420), ("5,450", "4,600", "6,400")),
        ((13010, 15400, 18200), ("15,400", "13,000", "18,200")),
        ((0.9, 1.06, 1.25), ("1.06", "0.90", "1.25")),
        ((2.6, 3.01, 3.5), ("3.0", "2.6", "3.5")),
        ((60.0, 71.2, 85.1), ("71", "60", "85")),
        ((0.32, 0.378, 0.44), ("0.38", "0.32", "0.44")),
        ((2.39, 2.41, 2.44), ("2.41", "2.39", "2.44")),  # narrow: a third digit says something
        ((0.0, 0.0, 0.0), ("0.00", "0.00", "0.00")),
    ],
)
def test_ends_are_no_finer_than_the_value(
    given: tuple[float, float, float], text: tuple[str, str, str]
) -> None:
    assert spread(interval(*given)) == text


def test_an_exact_figure_prints_no_interval() -> None:
    assert ends(interval(0.41, 0.41, 0.41)) == ""
    assert ends(interval(2.6, 3.0, 3.5)) == " (2.6 to 3.5)"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(2.83, "2.8x"), (1.04, "1.04x"), (0.92, "0.92x"), (1.4, "1.4x"), (12.2, "12x")],
)
def test_ratios(ratio: float, text: str) -> None:
    assert times(ratio) == text


def test_a_ratio_near_one_keeps_the_digit_that_tells_it_from_one() -> None:
    assert times_between(interval(0.99, 1.02, 1.05)) == "0.99 to 1.05"
    assert times_between(interval(2.31, 2.83, 3.42)) == "2.3 to 3.4"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (5450, 15400, ("2.8x", "as much")),
        (3.01, 1.06, ("65%", "less")),
        (100, 120, ("20%", "more")),
        (0.41, 0.41, ("", "unchanged")),
    ],
)
def test_change_in_words(before: float, after: float, told: tuple[str, str]) -> None:
    assert change(before, after) == told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0002, "under 1 ms"),
        (0.061, "61 ms"),
        (1.94, "1.9 s"),
        (192, "3 min 12 s"),
        (20880, "5.8 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_counts_and_values() -> None:
    assert [number(value) for value in (5450, 192, 71.2, 3.01, 0.7)] == [
        "5,450",
        "192",
        "71",
        "3.0",
        "0.70",
    ]
    assert (count(1, "edit"), count(1200, "edit")) == ("1 edit", "1,200 edits")
    assert [value_text(value) for value in (True, None, 4, "sdpa", ["q", "v"], 8.0)] == [
        "true", "not set", "4", "sdpa", "[q, v]", "8.0",
    ]  # fmt: skip


def test_a_figure_carries_its_provenance() -> None:
    html = figure("step_s", interval(2.6, 3.01, 3.5), "projected", " s")
    assert html == '<b data-metric="step_s" data-provenance="projected">3.0 s</b>'


def test_backticks_become_code_and_everything_is_escaped() -> None:
    assert words("use `a<b`, not <i>") == "use <code>a&lt;b</code>, not &lt;i&gt;"
    assert words("a ` alone") == "a ` alone"
