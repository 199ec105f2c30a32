"""Takes secrets out of a JSON value before it is written: every string in it, and every key."""

from __future__ import annotations

from collections.abc import Iterator

from audit.log.redact import find_secrets, redact
from audit.records.base import Json


def scrub(value: Json) -> Json:
    """The same value with every secret masked; the very same object where there is none.

    All strings are searched as one text first, which is what makes a clean event cheap; a line
    break between them keeps one from completing another.
    """
    if not find_secrets("\n".join(_strings(value))):
        return value
    return _masked(value)


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _masked(value: Json) -> Json:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return value
