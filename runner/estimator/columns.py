"""Bounds that work on numbers and on columns of numbers, without importing numpy."""

from __future__ import annotations

from typing import Any


def at_least(value: Any, low: Any) -> Any:
    """The value, or `low` where it is smaller."""
    return max(value, low) if isinstance(value, int | float) else value.clip(low)


def at_most(value: Any, high: Any) -> Any:
    """The value, or `high` where it is larger."""
    return min(value, high) if isinstance(value, int | float) else value.clip(None, high)


def where_above(value: Any, bound: float) -> Any:
    """1 where the value is above the bound, else 0."""
    return (value > bound) * 1.0
