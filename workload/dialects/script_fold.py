"""Folds what Python computes from known values: arithmetic, comparisons, text, plain functions.

Nothing is evaluated by Python itself from the user's text: each operation is one of a fixed list,
on numbers and short texts alone. A result that a default decided is a default as well.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from workload.dialects.script_values import Items, Known, Option, Symbol, Unknown, Value, option_of

MAX_TEXT = 2000
MAX_PARTS = 64
MAX_ELEMENTS = 500
COMPUTED = "computed when the script runs"
"""Why a value is unknown that no rule here gives."""

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}
_DTYPES = frozenset(
    f"torch.{name}" for name in ("bfloat16", "float16", "half", "float32", "float", "float64")
)
MAX_EXPONENT = 64
_SPEC = re.compile(r"[,+]?(?:\.\d{1,2})?[defgs%]?")


def folded(value: Any, node: ast.expr, option: Option | None = None) -> Value:
    """A computed value, where a setting can have it."""
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return Known(value, node, option)
    if isinstance(value, int) and value.bit_length() < 64:
        return Known(value, node, option)
    if isinstance(value, float) and math.isfinite(value):
        return Known(value, node, option)
    return Unknown(node, COMPUTED)


def fold_binary(work: type[ast.operator], left: Value, right: Value, node: ast.expr) -> Value:
    """`left op right` of two numbers, or two texts put together."""
    if isinstance(left, Items) and isinstance(right, Items) and work is ast.Add:
        return joined(left, right.values, node)
    if not (isinstance(left, Known) and isinstance(right, Known)):
        return Unknown(node, COMPUTED)
    a, b, option = left.value, right.value, left.option or right.option
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    texts = isinstance(a, str) and isinstance(b, str) and work is ast.Add
    if work is ast.Pow and numbers and abs(b) <= MAX_EXPONENT:  # type: ignore[arg-type]
        return _attempt(operator.pow, (a, b), node, option)
    if work not in ARITHMETIC or not (texts or numbers):
        return Unknown(node, COMPUTED)
    return _attempt(ARITHMETIC[work], (a, b), node, option)


def joined(left: Items, more: Sequence[Value], node: ast.expr) -> Value:
    """A list with more elements; one with very many is data, not settings."""
    if len(left.values) + len(more) > MAX_ELEMENTS:
        return Unknown(node, "a long list of data")
    return Items((*left.values, *more), node)


def fold_compare(work: ast.cmpop, left: Value, right: Value, node: ast.expr) -> Value:
    """One comparison; `in` asks a known list or text."""
    option = option_of(left) or option_of(right)
    if isinstance(work, (ast.In, ast.NotIn)):
        inside = _contains(left, right)
        if inside is None:
            return Unknown(node, COMPUTED)
        return Known(inside is isinstance(work, ast.In), node, option)
    a, b = _comparable(left), _comparable(right)
    if type(work) not in _COMPARISONS or a is None or b is None:
        return Unknown(node, COMPUTED)
    return _attempt(_COMPARISONS[type(work)], (a[0], b[0]), node, option)


def _contains(left: Value, right: Value) -> bool | None:
    if not isinstance(left, Known):
        return None
    if isinstance(right, Known) and isinstance(right.value, str):
        return left.value in right.value if isinstance(left.value, str) else None
    if isinstance(right, Items) and len(right.values) <= MAX_PARTS:
        listed = [_comparable(one) for one in right.values]
        if all(one is not None for one in listed):
            return any(one is not None and one[0] == left.value for one in listed)
    return None


def _comparable(value: Value) -> tuple[object] | None:
    """What equality can be asked of: a literal or a dtype, never another imported name."""
    if isinstance(value, Known):
        return (value.value,)
    return (value.name,) if isinstance(value, Symbol) and value.name in _DTYPES else None


def fold_text(values: Sequence[Value], specs: Sequence[str | None], node: ast.expr) -> Value:
    """An f-string whose parts are all known."""
    parts: list[str] = []
    option: Option | None = None
    for value, spec in zip(values, specs, strict=True):
        if not isinstance(value, Known) or spec is None or not _SPEC.fullmatch(spec):
            return Unknown(node, "a text made when the script runs")
        option = option or value.option
        try:
            parts.append(format(value.value, spec) if spec else str(value.value))
        except (ValueError, TypeError):
            return Unknown(node, "a text made when the script runs")
    return folded("".join(parts), node, option)


def fold_method(base: Known, name: str, arguments: Sequence[Value], node: ast.expr) -> Value | None:
    """A method of a text, such as `names.split(",")`; None where it is none that is folded."""
    work = _TEXT_METHODS.get(name)
    if work is None or not isinstance(base.value, str):
        return None
    given = [one.value for one in arguments if isinstance(one, Known)]
    if len(given) < len(arguments) or len(base.value) > MAX_TEXT:
        return Unknown(node, COMPUTED)
    try:
        made = work(base.value, *given)
    except (TypeError, ValueError):
        return Unknown(node, COMPUTED)
    if isinstance(made, list):
        parts = tuple(Known(part, node, base.option) for part in made[:MAX_PARTS])
        return Items(parts, node)
    return folded(made, node, base.option)


_TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "split": str.split,
    "lower": str.lower,
    "upper": str.upper,
    "strip": str.strip,
    "rstrip": str.rstrip,
    "lstrip": str.lstrip,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "removeprefix": str.removeprefix,
    "removesuffix": str.removesuffix,
}


def fold_call(dotted: str, arguments: Sequence[Value], node: ast.expr) -> Value:
    """`int(...)`, `min(...)` and their kin of known numbers; `len` of a list that is shown."""
    work = PLAIN.get(dotted)
    if dotted == "builtins.len" and len(arguments) == 1 and isinstance(arguments[0], Items):
        return Known(len(arguments[0].values), node, option_of(arguments[0]))
    if work is None or not arguments or len(arguments) > MAX_PARTS:
        return Unknown(node, COMPUTED)
    given = [one.value for one in arguments if isinstance(one, Known)]
    if len(given) < len(arguments) or any(isinstance(one, str) and len(one) > 100 for one in given):
        return Unknown(node, COMPUTED)
    option = next((one.option for one in arguments if isinstance(one, Known) and one.option), None)
    return _attempt(work, given, node, option)


PLAIN: dict[str, Callable[..., Any]] = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.str": str,
    "builtins.bool": bool,
    "builtins.min": min,
    "builtins.max": max,
    "builtins.round": round,
    "builtins.abs": abs,
    "builtins.len": len,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
}
"""Functions whose value is folded; all take numbers or one short text."""


def _attempt(
    work: Callable[..., Any], given: Sequence[Any], node: ast.expr, option: Option | None
) -> Value:
    try:
        return folded(work(*given), node, option)
    except (ArithmeticError, TypeError, ValueError):
        return Unknown(node, COMPUTED)
