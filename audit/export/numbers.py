"""Prints numbers one way everywhere: two or three digits, ends no finer than the value."""

from __future__ import annotations

import math

from audit.records.base import Interval, Json

NARROW = 0.04
"""Half width of an interval / value below which a third digit says something."""


def is_narrow(interval: Interval) -> bool:
    """Whether the interval is so narrow that a third digit of the value says something."""
    if interval.value == 0:
        return False
    half = max(interval.high - interval.value, interval.value - interval.low)
    return half / abs(interval.value) < NARROW


def step_of(value: float, *, fine: bool = False) -> float:
    """The power of ten to round `value` to: two digits; three when fine, leading 1 or over 100."""
    if value == 0:
        return 0.01
    exponent = math.floor(math.log10(abs(value)))
    leading = abs(value) / 10**exponent
    digits = 3 if fine or leading < 2 else 2
    return 10.0 ** (exponent - digits + 1)


def rounded(value: float, step: float) -> str:
    """`value` to the multiple of `step`, thousands separated: `15,400`, `3.0`, `0.38`."""
    decimals = max(0, -round(math.log10(step)))
    return f"{round(value / step) * step:,.{decimals}f}"


def number(value: float) -> str:
    """A value alone: `5,450`, `71`, `3.0`, `0.38`, `1.06`."""
    return rounded(value, step_of(value, fine=abs(value) >= 100))


def spread(interval: Interval) -> tuple[str, str, str]:
    """Value, low and high as text; the ends are no finer than the value."""
    fine = is_narrow(interval)
    step = step_of(interval.value, fine=fine or abs(interval.value) >= 100)
    ends = max(step, step_of(interval.high, fine=fine))
    return rounded(interval.value, step), rounded(interval.low, ends), rounded(interval.high, ends)


def between(interval: Interval, unit: str = "") -> str:
    """`1.6 to 2.3 GB`: the ends of an interval in words."""
    _, low, high = spread(interval)
    return f"{low} to {high}{unit}"


def ends(interval: Interval) -> str:
    """` (2.6 to 3.5)`; empty where the figure is exact."""
    _, low, high = spread(interval)
    return f" ({low} to {high})" if low != high else ""


def times(ratio: float) -> str:
    """A ratio: `2.8x`, `1.04x`, `12x`. Near one a second decimal is kept, to tell it from 1."""
    return f"{ratio:.{_ratio_decimals(ratio)}f}x"


def times_between(interval: Interval) -> str:
    """The ends of a ratio's interval, no finer than the ratio: `2.3 to 3.4`."""
    decimals = _ratio_decimals(interval.value)
    return f"{interval.low:.{decimals}f} to {interval.high:.{decimals}f}"


def _ratio_decimals(ratio: float) -> int:
    if ratio < 1.25:
        return 2
    return 1 if ratio < 10 else 0


def change(before: float, after: float) -> tuple[str, str]:
    """How a figure moved: `("2.8x", "as much")`, `("65%", "less")`, `("", "unchanged")`."""
    if before <= 0 or abs(after / before - 1) < 0.005:
        return "", "unchanged"
    ratio = after / before
    if ratio >= 1.5:
        return times(ratio), "as much"
    share = abs(ratio - 1) * 100
    return f"{share:.0f}%" if share >= 2 else f"{share:.1f}%", "more" if ratio > 1 else "less"


def duration(seconds: float) -> str:
    """A wall time in the unit a person would use: `61 ms`, `1.9 s`, `3 min 12 s`, `5.8 h`."""
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    return f"{number(seconds / 3600)} h"


def count(number_of: int, singular: str, plural: str | None = None) -> str:
    """`1 edit`, `6 edits`."""
    return f"{number_of:,} {singular if number_of == 1 else plural or singular + 's'}"


def value_text(value: Json) -> str:
    """A field's value as the page prints it: `true`, `null`, `[q_proj, v_proj]`."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return str(value)
