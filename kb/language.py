"""The operators and functions of the condition language, with the types they take and give."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple

from kb import operations
from kb.operations import Value
from kb.vocabulary import Kind

NUMBER = Kind(frozenset({"number"}))
TEXT = Kind(frozenset({"text"}))
BOOLEAN = Kind(frozenset({"boolean"}))
LIST = Kind(frozenset({"list"}))
VERSION = Kind(frozenset({"version"}))
NULL = Kind(frozenset())
"""Null stands beside every type."""

COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "<": operations.ordered(operator.lt),
    "<=": operations.ordered(operator.le),
    ">": operations.ordered(operator.gt),
    ">=": operations.ordered(operator.ge),
    "==": operations.equal,
    "!=": lambda left, right: operations.negation(operations.equal(left, right)),
}
CALCULATE: dict[str, Callable[[Value, Value], Value]] = {
    "+": operations.calculated(operator.add),
    "-": operations.calculated(operator.sub),
    "*": operations.calculated(operator.mul),
    "/": operations.calculated(operator.truediv),
    "//": operations.calculated(operator.floordiv),
    "%": operations.calculated(operator.mod),
}


class Function(NamedTuple):
    """A function of values: how many arguments, what each must be, what comes back."""

    run: Callable[..., Value]
    fewest: int
    most: int
    takes: Kind
    gives: Kind


FUNCTIONS: dict[str, Function] = {
    "min": Function(operations.least, 2, 9, NUMBER, NUMBER),
    "max": Function(operations.greatest, 2, 9, NUMBER, NUMBER),
    "round": Function(operations.rounded, 1, 2, NUMBER, NUMBER),
    "percent": Function(operations.percent, 1, 1, NUMBER, NUMBER),
    "largest_divisor": Function(operations.largest_divisor, 2, 2, NUMBER, NUMBER),
    "pick": Function(operations.pick, 3, 3, Kind(frozenset({"boolean", "number"})), NUMBER),
    "otherwise": Function(operations.otherwise, 2, 2, NUMBER, NUMBER),
    "lower": Function(operations.lower, 1, 1, TEXT, TEXT),
    "contains": Function(operations.contains, 2, 2, TEXT, BOOLEAN),
    "starts_with": Function(operations.starts_with, 2, 2, TEXT, BOOLEAN),
    "surely": Function(operations.surely, 1, 1, BOOLEAN, BOOLEAN),
}
FORMS: dict[str, str] = {
    "stated": "field",
    "mentioned": "field",
    "known": "field",
    "written": "field, key",
    "version": "package",
    "sets_variable": "pattern",
}
"""Questions about the file itself (`situation`), and what stands in their brackets."""
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
