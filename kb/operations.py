"""Three-valued operations on what a file says: a value that is not known makes the result unknown.

Every function takes and returns plain values or UNKNOWN; none raises on a value of another type,
because an uploaded file can hold anything. `predicate` checks the types that can be checked early.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from enum import Enum
from typing import Any

from kb.vocabulary import Type


class Unknown(Enum):
    """The third truth value, and the value of whatever a file does not say."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown.UNKNOWN
Value = Any
"""A JSON value, a version as a tuple of whole numbers, or UNKNOWN."""
MAX_DIGITS = 40
"""Whole numbers of more digits come from no training file; arithmetic on them stays unknown."""


def type_of(value: Value) -> Type | None:
    """The type of a value; None for null, UNKNOWN and what the language does not speak of."""
    for kinds, name in _TYPES:
        if isinstance(value, kinds):
            return name
    return None


_TYPES: tuple[tuple[type | tuple[type, ...], Type], ...] = (
    (bool, "boolean"),
    ((int, float), "number"),
    (str, "text"),
    (list, "list"),
    (dict, "mapping"),
    (tuple, "version"),
)


def truth(value: Value) -> bool | Unknown:
    """A value where a condition is asked for: null is no, a text or number is not known."""
    if value is None:
        return False
    return value if isinstance(value, bool) else UNKNOWN


def negation(value: Value) -> bool | Unknown:
    """Not: unknown stays unknown."""
    known = truth(value)
    return known if isinstance(known, Unknown) else not known


def equal(left: Value, right: Value) -> bool | Unknown:
    """Equality; a boolean never equals a number, null only null."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    return type_of(left) == type_of(right) and bool(left == right)


def member(item: Value, values: Collection[Value] | Value) -> bool | Unknown:
    """Whether `item` is one of `values`; unknown where `values` is no list."""
    if item is UNKNOWN or not isinstance(values, list | tuple):
        return UNKNOWN
    return any(equal(item, value) is True for value in values)


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool | Unknown]:
    """A comparison of numbers or versions; anything else is unknown."""

    def run(left: Value, right: Value) -> bool | Unknown:
        kind = type_of(left)
        if kind != type_of(right) or kind not in ("number", "version"):
            return UNKNOWN
        if kind == "version":
            width = max(len(left), len(right))
            left, right = pad(left, width), pad(right, width)
        return compare(left, right)

    return run


def calculated(calculate: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    """An arithmetic operation; unknown where a side is no number, or too large, or divides by 0."""

    def run(left: Value, right: Value) -> Value:
        if type_of(left) != "number" or type_of(right) != "number":
            return UNKNOWN
        if max(abs(left), abs(right)) > 10**MAX_DIGITS:
            return UNKNOWN
        try:
            return calculate(left, right)
        except (ZeroDivisionError, OverflowError):
            return UNKNOWN

    return run


def pad(version: tuple[int, ...], width: int) -> tuple[int, ...]:
    """A version with zeros behind it: 5.2 and 5.2.0 are the same."""
    return version + (0,) * (width - len(version))


def read_version(text: str) -> tuple[int, ...] | None:
    """`v5.23.0+rocm7` as (5, 23, 0), compared number by number: 7.14 is newer than 7.2."""
    match = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", text.strip())
    return tuple(int(part) for part in match[1].split(".")) if match else None


def least(*values: Value) -> Value:
    """The smallest of some numbers."""
    return UNKNOWN if any(type_of(value) != "number" for value in values) else min(values)


def greatest(*values: Value) -> Value:
    """The largest of some numbers."""
    return UNKNOWN if any(type_of(value) != "number" for value in values) else max(values)


def rounded(value: Value, digits: Value = 0) -> Value:
    """A number rounded to `digits` decimals."""
    if type_of(value) != "number" or type_of(digits) != "number":
        return UNKNOWN
    return round(value, int(digits)) if digits else round(value)


def percent(share: Value) -> Value:
    """A share of 1 as a whole number of percent."""
    return round(100 * share) if type_of(share) == "number" else UNKNOWN


def largest_divisor(number: Value, limit: Value) -> Value:
    """The largest whole number that divides `number` and is at most `limit`; at least 1."""
    if type_of(number) != "number" or type_of(limit) != "number":
        return UNKNOWN
    if number != int(number) or not 1 <= number <= 1_000_000:
        return UNKNOWN
    whole = int(number)
    return next((one for one in range(int(min(limit, whole)), 0, -1) if whole % one == 0), 1)


def otherwise(value: Value, instead: Value) -> Value:
    """The value, or `instead` where it is null or not known."""
    return instead if value is None or value is UNKNOWN else value


def pick(condition: Value, value: Value, instead: Value) -> Value:
    """The value where the condition holds, `instead` where it does not."""
    holds = truth(condition)
    if isinstance(holds, Unknown):
        return UNKNOWN
    return value if holds else instead


def lower(text: Value) -> Value:
    """A text in lower case."""
    return text.lower() if isinstance(text, str) else UNKNOWN


def contains(text: Value, part: Value) -> Value:
    """Whether a text contains another."""
    return part in text if isinstance(text, str) and isinstance(part, str) else UNKNOWN


def starts_with(text: Value, part: Value) -> Value:
    """Whether a text starts with another."""
    both = isinstance(text, str) and isinstance(part, str)
    return text.startswith(part) if both else UNKNOWN


def surely(condition: Value) -> bool:
    """Whether a condition is known to hold: unknown counts as no."""
    return truth(condition) is True


def show(value: Value) -> str:
    """A value as it stands in a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list):
        return ", ".join(show(item) for item in value)
    return "not known" if value is UNKNOWN else str(value)
