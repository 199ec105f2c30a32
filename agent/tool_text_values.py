"""The values inside tool calls that were written as text: JSON at a place, raw text with a schema.

Nothing is evaluated. A text that is no whole value is `NOTHING`, which no call survives.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from audit.records.base import Json

NOTHING: Final = object()
"""No value could be read."""
_DECODER = json.JSONDecoder()
_WORDS: dict[str, Json] = {
    "true": True, "True": True, "false": False, "False": False, "null": None, "None": None,
}  # fmt: skip
_GEMMA_QUOTES = ('<|"|>', "<escape>")
_GEMMA_KEY = re.compile(r"\s*,?\s*(\w+)\s*:\s*")
_GEMMA_WORD = re.compile(r"[^,{}\[\]]+")


class JsonAt(NamedTuple):
    """A value and the position behind it."""

    value: Json
    end: int


class GemmaObject(NamedTuple):
    """Arguments and the position behind their closing brace."""

    given: dict[str, Json]
    end: int


def json_at(text: str, position: int) -> JsonAt:
    """The JSON value that begins at a position; `NOTHING` up to the end where none does."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    try:
        value, end = _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError):
        return JsonAt(NOTHING, len(text))
    return JsonAt(value, end)


def read_loose(text: str) -> Json:
    """A JSON value or one of the words that models write for it; `NOTHING` for any other text."""
    stripped = text.strip()
    if stripped in _WORDS:
        return _WORDS[stripped]
    value, end = json_at(stripped, 0)
    return value if value is not NOTHING and end == len(stripped) else NOTHING


def as_schema(raw: dict[str, str], schema: Json) -> dict[str, Json]:
    """Raw values as their schema wants them: text stays as it is, anything else is read as JSON."""
    fields = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return {name: _as_field(text, fields.get(name)) for name, text in raw.items()}


def _as_field(text: str, field: Json) -> Json:
    trimmed = _unwrapped(text)
    kinds = _kinds(field)
    if "string" in kinds:
        return None if "null" in kinds and trimmed.strip() in ("null", "None") else trimmed
    value = read_loose(trimmed)
    return trimmed if value is NOTHING else value


def _unwrapped(text: str) -> str:
    """Without the one newline that templates put around a value."""
    text = text.replace("\r\n", "\n")
    return text.removeprefix("\n").removesuffix("\n")


def _kinds(field: Json) -> set[str]:
    if not isinstance(field, dict):
        return {"string"}
    parts = field.get("anyOf", [field])
    return {str(part.get("type")) for part in parts if isinstance(part, dict)}


MAX_DEPTH = 20
"""Objects and lists inside one another."""


def gemma_object(text: str, position: int, depth: int = 0) -> GemmaObject | None:
    """`{key:<|"|>text<|"|>,list:[...],n:42}`, or None where it is broken off."""
    if not text.startswith("{", position) or depth > MAX_DEPTH:
        return None
    given: dict[str, Json] = {}
    position += 1
    while not text.startswith("}", position):
        key = _GEMMA_KEY.match(text, position)
        if key is None:
            return None
        read = _gemma_value(text, key.end(), depth + 1)
        if read is None:
            return None
        given[key.group(1)] = read.value
        position = read.end
    return GemmaObject(given, position + 1)


def _gemma_value(text: str, position: int, depth: int) -> JsonAt | None:
    for quote in _GEMMA_QUOTES:
        if text.startswith(quote, position):
            start = position + len(quote)
            end = text.find(quote, start)
            return JsonAt(text[start:end], end + len(quote)) if end >= 0 else None
    if text.startswith("{", position):
        inner = gemma_object(text, position, depth)
        return JsonAt(inner.given, inner.end) if inner else None
    if text.startswith("[", position):
        return _gemma_list(text, position + 1, depth)
    word = _GEMMA_WORD.match(text, position)
    if word is None:
        return None
    value = read_loose(word.group())
    return JsonAt(word.group().strip() if value is NOTHING else value, word.end())


def _gemma_list(text: str, position: int, depth: int) -> JsonAt | None:
    values: list[Json] = []
    while not text.startswith("]", position):
        read = _gemma_value(text, position, depth + 1) if depth < MAX_DEPTH else None
        if read is None:
            return None
        values.append(read.value)
        position = read.end
        if text.startswith(",", position):
            position += 1
    return JsonAt(values, position + 1)
