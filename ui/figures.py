"""Figures as elements of the page: the numbers of `audit.export.numbers` with their provenance."""

from __future__ import annotations

from html import escape

from audit.export.numbers import (
    between,
    change,
    count,
    duration,
    ends,
    is_narrow,
    number,
    rounded,
    spread,
    step_of,
    times,
    times_between,
    value_text,
)
from audit.records.base import Interval, Provenance

__all__ = [
    "between",
    "change",
    "count",
    "duration",
    "ends",
    "figure",
    "is_narrow",
    "marked",
    "number",
    "rounded",
    "spread",
    "step_of",
    "times",
    "times_between",
    "value_text",
    "words",
]


def figure(
    metric: str, interval: Interval, provenance: Provenance, unit: str = "", tag: str = "b"
) -> str:
    """The value as an element that carries its metric and provenance."""
    value = spread(interval)[0]
    return marked(metric, value + unit, provenance, tag)


def marked(metric: str, text: str, provenance: Provenance, tag: str = "b") -> str:
    """Ready text of a figure as an element that carries its metric and provenance."""
    return (
        f'<{tag} data-metric="{escape(metric)}" data-provenance="{provenance}">'
        f"{escape(text)}</{tag}>"
    )


def words(text: str) -> str:
    """Plain text as HTML: escaped, with `backticked` parts as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(
        f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)
    )
