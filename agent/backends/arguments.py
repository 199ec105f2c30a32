"""Turns what a model wrote as arguments into a mapping, or says what is wrong with it.

Only what is beyond doubt is mended: a mapping written as a string of JSON, and one wrapped in a
single field called args, arguments, input or parameters. Ids are never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from agent.backends import ToolCall
from audit.records.base import Json

MAX_CHARACTERS = 8000
"""Of one call's arguments; the longest honest ones (a list of finding ids) have some hundred."""
_WRAPPERS = {"args", "arguments", "input", "parameters"}


class Arguments(NamedTuple):
    """Arguments as a mapping; `fault` says why they are none, and `cut` that they broke off."""

    given: dict[str, Json]
    fault: str = ""
    cut: bool = False


def read_arguments(raw: Json) -> Arguments:
    """The arguments of a call, from the text that a model wrote or from parsed JSON."""
    if isinstance(raw, str):
        if len(raw) > MAX_CHARACTERS:
            return Arguments(
                {}, f"the arguments have {len(raw)} characters; at most {MAX_CHARACTERS}"
            )
        if not raw.strip():
            return Arguments({})
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError) as error:
            cut = is_cut(raw)
            return Arguments(
                {}, "the arguments are cut off" if cut else f"invalid JSON ({error})", cut
            )
    else:
        found = raw
    if isinstance(found, str) and found.lstrip().startswith("{"):  # written as JSON twice
        try:
            found = json.loads(found)
        except ValueError:
            return Arguments({}, "invalid JSON inside a string")
    if not isinstance(found, dict):
        kind = "null" if found is None else type(found).__name__
        return Arguments({}, f"the arguments must be one JSON object, not {kind}")
    fault = _unfit(found)
    return Arguments({} if fault else found, fault)


def _unfit(given: dict[str, Json]) -> str:
    """Why a mapping can neither be logged nor sent back, where it cannot."""
    try:
        size = len(json.dumps(given, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        return "the arguments hold half a character"
    except ValueError:
        return "the arguments hold a number that JSON has not (NaN or Infinity)"
    return f"the arguments have {size} bytes; at most {MAX_CHARACTERS}" * (size > MAX_CHARACTERS)


def clean(text: str) -> str:
    """The text with halves of characters joined, or replaced where one stands alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def unwrapped(given: dict[str, Json], fields: Collection[str]) -> dict[str, Json]:
    """The mapping inside a single wrapper field, where the tool has no field of that name."""
    if len(given) == 1:
        name, inner = next(iter(given.items()))
        if name in _WRAPPERS and name not in fields and isinstance(inner, dict):
            return inner
    return given


def is_cut(text: str) -> bool:
    """Whether a JSON text ends inside a string, a list or an object."""
    depth, inside, escaped = 0, False, False
    for letter in text:
        if inside:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                inside = False
        elif letter == '"':
            inside = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
    return inside or depth > 0


def with_own_ids(calls: list[ToolCall], used: set[str], turn: int) -> tuple[ToolCall, ...]:
    """The calls with ids that are there and differ: within the turn and from all earlier ones."""
    named: list[ToolCall] = []
    for number, call in enumerate(calls, start=1):
        name = call.id or f"call_{turn}_{number}"
        copy = 2
        while name in used:
            name = f"{call.id or f'call_{turn}_{number}'}_{copy}"
            copy += 1
        used.add(name)
        named.append(replace(call, id=name))
    return tuple(named)
