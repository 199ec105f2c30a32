"""Finds figures in a model's own words that no tool has given; they are flagged, never used.

A figure is a number with a unit of speed, memory, time, share or ratio: versions, lines and ids are
none. It is backed where a tool's answer holds it, perhaps with more digits or as a fraction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?!\.\d)"
_UNIT = r"(?:x\b|×|%|(?:GB|GiB|MB|TB|ms|TFLOPS|tok(?:en)?s?|samples?|seconds?|times)\b|s\b)"
_FIGURE = re.compile(rf"(?P<number>{_NUMBER})\s?{_UNIT}")
_ANY = re.compile(_NUMBER)
MAX_FIGURES = 20


def unbacked(text: str, answers: Iterable[str]) -> list[str]:
    """The figures of a text, as written, that stand in none of the tools' answers."""
    figures = list(_FIGURE.finditer(text))
    if not figures:
        return []
    known = {_value(number) for answer in answers for number in _ANY.findall(answer)}
    known |= {100 * value for value in known}
    said = dict.fromkeys(found[0] for found in figures if not _backed(found["number"], known))
    return list(said)[:MAX_FIGURES]


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _backed(number: str, known: set[float]) -> bool:
    """Whether a known value is the number once it is rounded to as many digits."""
    value, digits = _value(number), len(number.partition(".")[2])
    return any(abs(one - value) <= 0.501 * 10.0**-digits for one in known)
