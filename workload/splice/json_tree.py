"""A JSON text as a tree of nodes with exact positions, guarded against hostile input.

Objects are scanned here, member by member; a list is read whole by the standard library's decoder,
because no edit goes inside one (a trainer's log of a million characters takes milliseconds).
Comments, trailing commas and NaN are no JSON: they are read, remembered, and left to the caller.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from audit.records.base import Json
from workload.source import SourceText
from workload.splice.json_faults import (
    end_fault,
    fault,
    key_fault,
    separator_fault,
    text_fault,
    value_fault,
)
from workload.splice.yaml_tree import MAX_DEPTH, MAX_NODES, Entry, Mapping, Node, Scalar, Sequence
from workload.splice.yaml_values import MAX_DIGITS

CONSTANTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}

_BLANK = re.compile(r"[ \t\n\r]*")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|#[^\n]*", re.DOTALL)
_TEXT = re.compile(r'"([^"\\\x00-\x1f]*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"-?[A-Za-z_$][\w$]*")
_HALF = re.compile(r"\\u[dD][89abABcdefCDEF]")
_ODD = re.compile(r"(?<=[\s,:\[])(?:NaN|-?Infinity)")


@dataclass(slots=True)
class Array(Sequence):
    """A list; `items` stays empty, its content is `value`."""

    value: Json = None


class Oddity(NamedTuple):
    """Something that is no standard JSON although it can be read."""

    what: str
    at: int
    """Offset of its first character."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """A whole JSON text."""

    root: Node
    relaxed: Oddity | None
    """The first comment or trailing comma: readable, but not to be edited."""
    constant: Oddity | None
    """The first NaN, Infinity, or number that overflows."""


def read_json(source: SourceText) -> JsonText:
    """The tree of a JSON text.

    Raises:
        InputError: broken JSON, a template, JSON lines, too deep, too large, numbers of absurd
            length; with line, column and remedy.
    """
    return _Scanner(source).read()


def scalar_json(node: Scalar) -> Json:
    """The value of a scalar: str, bool, None, int or float (NaN and Infinity included)."""
    if node.style:
        return node.value
    if node.value in WORDS:
        return WORDS[node.value]
    if node.value in CONSTANTS:
        return CONSTANTS[node.value]
    return float(node.value) if re.search("[.eE]", node.value) else int(node.value)


def plain_json(node: Node) -> Json:
    """A node as plain data; of a repeated key the last one counts, as in every JSON reader."""
    if isinstance(node, Scalar):
        return scalar_json(node)
    if isinstance(node, Array):
        return node.value
    if isinstance(node, Mapping):
        pairs = ((entry.key, plain_json(entry.value)) for entry in node.entries)
        return {key.value: value for key, value in pairs if isinstance(key, Scalar)}
    return None


class _Scanner:
    """Walks one text; recursion is bounded by `MAX_DEPTH`."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.text = source.text
        self.nodes = 0
        self.relaxed: Oddity | None = None
        self.constant: Oddity | None = None
        self.odd = False
        self.decoder = json.JSONDecoder(parse_int=_whole, parse_constant=self._not_finite)

    def read(self) -> JsonText:
        """The whole text."""
        root, end = self._value(self._blank(0), 0)
        rest = self._blank(end)
        if rest < len(self.text):
            raise end_fault(self.source, rest, after_object=isinstance(root, Mapping))
        return JsonText(root, self.relaxed, self.constant)

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        first = self.text[at : at + 1]
        if first == "{":
            return self._object(at, depth + 1)
        if first == "[":
            return self._array(at, depth + 1)
        if first == '"':
            return self._quoted(at)
        number = _NUMBER.match(self.text, at)
        if number:
            return self._number(at, number.end())
        word = _WORD.match(self.text, at)
        name = word[0] if word else ""
        if name in CONSTANTS:
            self.constant = self.constant or Oddity(name, at)
        elif name not in WORDS:
            raise value_fault(self.source, at, name)
        return Scalar(at, at + len(name), name, ""), at + len(name)

    def _number(self, at: int, end: int) -> tuple[Node, int]:
        shown = self.text[at:end]
        if len(shown) > MAX_DIGITS:
            reason = f"a number of {len(shown):,} digits"
            raise fault(self.source, at, reason, "Write the number that is meant")
        if math.isinf(float(shown)):
            self.constant = self.constant or Oddity(shown, at)
        return Scalar(at, end, shown, ""), end

    def _quoted(self, at: int) -> tuple[Scalar, int]:
        plain = _TEXT.match(self.text, at)
        if plain:
            return Scalar(at, plain.end(), plain[1], '"'), plain.end()
        try:
            value, end = self.decoder.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            raise text_fault(self.source, error) from None
        self._check_halves(at, end, value)
        return Scalar(at, end, str(value), '"'), end

    def _object(self, start: int, depth: int) -> tuple[Node, int]:
        self._check_depth(start, depth)
        block = Mapping(start, start, True)
        at = self._blank(start + 1)
        while self.text[at : at + 1] != "}":
            if self.text[at : at + 1] != '"':
                raise key_fault(self.source, at, start)
            self._count(at)
            key, end = self._quoted(at)
            colon = self._blank(end)
            if self.text[colon : colon + 1] != ":":
                reason = "a colon is missing behind the key"
                raise fault(self.source, colon, reason, 'Write "key": value')
            value, end = self._value(self._blank(colon + 1), depth)
            block.entries.append(Entry(key, value))
            at = self._next(end, start, "}")
        block.end = at + 1
        return block, block.end

    def _array(self, start: int, depth: int) -> tuple[Node, int]:
        self._check_depth(start, depth)
        try:
            value, end = self.decoder.raw_decode(self.text, start)
        except (ValueError, RecursionError):
            return self._odd_array(start, depth)  # reads comments, or says what is wrong and where
        if self.odd and self.constant is None:
            found = _ODD.search(self.text, start, end)
            at = start if found is None else found.start()
            self.constant = Oddity("NaN" if found is None else found[0], at)
        if depth + self.text.count("[", start, end) + self.text.count("{", start, end) > MAX_DEPTH:
            self._check_depth(start, depth + _depth_of(value) - 1)
        self._check_halves(start, end, value)
        return Array(start, end, True, None, [], value), end

    def _odd_array(self, start: int, depth: int) -> tuple[Node, int]:
        """A list that the decoder does not take, item by item."""
        values: list[Json] = []
        at = self._blank(start + 1)
        while self.text[at : at + 1] != "]":
            self._count(at)
            node, end = self._value(at, depth)
            values.append(plain_json(node))
            at = self._next(end, start, "]")
        return Array(start, at + 1, True, None, [], values), at + 1

    def _next(self, end: int, opened: int, close: str) -> int:
        """The start of the next member, or of the closing bracket."""
        at = self._blank(end)
        sign = self.text[at : at + 1]
        if sign == close:
            return at
        if sign != ",":
            raise separator_fault(self.source, at, opened, close)
        following = self._blank(at + 1)
        if self.text[following : following + 1] == close:
            self.relaxed = self.relaxed or Oddity("a trailing comma", at)
        return following

    def _blank(self, at: int) -> int:
        """Past blanks, and past comments, which are remembered."""
        while True:
            blanks = _BLANK.match(self.text, at)
            at = at if blanks is None else blanks.end()
            comment = _COMMENT.match(self.text, at)
            if comment is None:
                return at
            self.relaxed = self.relaxed or Oddity("a comment", at)
            at = comment.end()

    def _not_finite(self, name: str) -> float:
        self.odd = True
        return CONSTANTS[name]

    def _check_halves(self, at: int, end: int, value: Json) -> None:
        """Half a surrogate pair can be escaped in JSON and is no text that could be shown."""
        half = _HALF.search(self.text, at, end)
        if half is None:
            return
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            reason = "an escape that stands for half a character"
            raise fault(self.source, half.start(), reason, "Write the whole character") from None

    def _count(self, at: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise fault(self.source, at, f"more than {MAX_NODES:,} values: no training file")

    def _check_depth(self, at: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise fault(self.source, at, f"JSON nested deeper than {MAX_DEPTH} levels")


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError
    return int(text)


def _depth_of(value: Json) -> int:
    """Levels of lists and objects in a value, itself included."""
    depth, level = 0, [value]
    while level:
        held = [one for one in level if isinstance(one, list | dict)]
        depth += bool(held)
        level = [item for one in held for item in (one if isinstance(one, list) else one.values())]
    return depth
