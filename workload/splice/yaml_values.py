"""What a YAML scalar means to the loader of the framework that will read the file.

`1e-5` is text to PyYAML (YAML 1.1 wants a dot) and a number to OmegaConf; `no` is false to both.
Neither a `${...}` nor an environment variable is ever resolved here.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Literal

import yaml

from audit.records.base import Json
from workload.splice.yaml_tree import Scalar

Loader = Literal["pyyaml", "omegaconf"]
"""pyyaml: `yaml.safe_load`. omegaconf: `OmegaConf.load`, whose floats need no dot and whose dates
stay text."""

MAX_DIGITS = 300
"""A longer number is no setting of a training run; Python itself refuses 4,300 digits."""

_TAG = "tag:yaml.org,2002:"
_OMEGACONF_FLOAT = re.compile(
    r"[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9_]*)?[eE][-+]?[0-9]+"
    r"|[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*"
    r"|\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)?"
)
_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}


class TooManyDigits(ValueError):
    """A number so long that no setting can be meant."""


def scalar_value(node: Scalar, loader: Loader) -> Json:
    """None, bool, int, float or str; dates stay text.

    Raises:
        TooManyDigits: a number of more than `MAX_DIGITS` digits.
    """
    if node.style:
        return node.value
    tag = (node.tag or "").removeprefix(_TAG) or plain_kind(node.value, loader)
    if tag in ("int", "float"):
        return _number(node.value, tag)
    if tag == "bool":
        return _BOOLEANS.get(node.value.lower(), node.value)
    return None if tag == "null" else node.value


def plain_kind(text: str, loader: Loader) -> str:
    """null, bool, int, float, timestamp, merge, value or str: what an unquoted scalar is."""
    for tag, pattern in _resolvers().get(text[:1], ()):
        if pattern.match(text):
            if tag == "timestamp" and loader == "omegaconf":
                break
            return tag
    if loader == "omegaconf" and _OMEGACONF_FLOAT.fullmatch(text):
        return "float"
    return "str"


@cache
def _resolvers() -> dict[str, tuple[tuple[str, re.Pattern[str]], ...]]:
    """PyYAML's own table: first character -> (kind, pattern)."""
    table = yaml.SafeLoader.yaml_implicit_resolvers
    return {
        first: tuple((tag.removeprefix(_TAG), pattern) for tag, pattern in found)
        for first, found in table.items()
        if isinstance(first, str)
    }


def _number(text: str, kind: str) -> Json:
    digits = text.replace("_", "")
    if len(digits) > MAX_DIGITS:
        raise TooManyDigits
    sign = -1 if digits.startswith("-") else 1
    body = digits.lstrip("+-").lower()
    if body in (".inf", ".nan"):
        return math.nan if body == ".nan" else sign * math.inf
    try:
        if ":" in body:
            return sign * _sexagesimal(body, kind)
        if kind == "float":
            return sign * float(body)
        for prefix, base in (("0b", 2), ("0x", 16)):
            if body.startswith(prefix):
                return sign * int(body[2:], base)
        return sign * int(body, 8 if body.startswith("0") and body != "0" else 10)
    except ValueError:  # `!!int abc`, which the real loader refuses as well
        return text


def _sexagesimal(body: str, kind: str) -> int | float:
    parts = [float(part) if kind == "float" else int(part) for part in body.split(":")]
    value: int | float = 0
    for part in parts:
        value = value * 60 + part
    return value
