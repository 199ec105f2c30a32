"""Values that refer to other keys, `${a.b}`: looked up among the uploaded files, nowhere else.

The grammar and the meaning are OmegaConf's. `${oc.env:X}` and every resolver that reads the machine
stay as they are and become unknown fields: no environment variable is ever read for an upload.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from audit.records.base import Json
from workload.source import SourceText
from workload.splice.yaml_document import Document, Place, Reference
from workload.splice.yaml_tree import Alias, Mapping, Node, Scalar
from workload.splice.yaml_values import Loader, TooManyDigits, scalar_value

MAX_DEPTH = 20
MAX_TEXT = 1000
MAX_NUMBER = 1e15
"""Longer chains, texts and numbers are no setting; without bounds twenty lines could make a text
of a million characters."""
SHOWN = 100

Arithmetic = Callable[[Any, Any], Any]

_KEY = re.compile(r"\.*[A-Za-z_][\w-]*(?:\.[\w-]+|\[[\w-]+\])*")
_CALL = re.compile(r"([A-Za-z_][\w.]*):(.*)", re.DOTALL)
_MISSING = "???"
"""OmegaConf's word for a value that must be given elsewhere."""


class Open(Exception):
    """A reference whose value the uploaded files do not hold."""


class ReferenceDocument(Document):
    """A document whose `${...}` are replaced by what they refer to, where the files hold it."""

    resolvers: dict[str, Arithmetic] = {}  # noqa: RUF012 - set by subclasses, never changed
    """Resolvers of two numbers that the framework registers."""

    def __init__(self, source: SourceText, loader: Loader) -> None:
        super().__init__(source, loader)
        self._resolved: dict[int, Json] = {}
        self._depth = 0
        self._paths: dict[int, str] | None = None

    @property
    def own(self) -> Document:
        """The file as it is written, references as text."""
        return Document(self.source, self.loader)

    def plain(self, node: Node) -> Json:
        """A node as plain data; a reference that stays open remains text with `${`."""
        value = super().plain(node)
        if not isinstance(value, str) or "${" not in value:
            return value
        target = node.target if isinstance(node, Alias) else node
        if id(target) not in self._resolved:
            self._resolved[id(target)] = value  # what a circle finds
            try:
                self._resolved[id(target)] = self._text(value, target)
            except Open:
                self._resolved[id(target)] = value
        return self._resolved[id(target)]

    def reference(self, place: Place) -> Reference | None:
        """Derived where the files hold what is referred to, else unknown."""
        node = place.value.target if isinstance(place.value, Alias) else place.value
        if not isinstance(node, Scalar):
            return None
        shown = node.value if len(node.value) <= SHOWN else node.value[:SHOWN] + "..."
        if node.value == _MISSING and not node.style:
            return Reference("unknown", f"{_MISSING}: to be given where the run is launched")
        if "${" not in node.value:
            return None
        value = self.plain(node)
        if isinstance(value, str) and "${" in value:
            return Reference("unknown", f"{shown} is not in the uploaded files")
        return Reference("derived", shown)

    def roots(self) -> list[Mapping]:
        """The top-level blocks in which relative references are counted."""
        return [self.root]

    def _text(self, text: str, node: Node) -> Json:
        """The value of a text with references. Raises Open."""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH or len(text) > MAX_TEXT:
                raise Open
            parts = list(_parts(text))
            values = [self._inner(part, node) if inner else part for inner, part in parts]
        finally:
            self._depth -= 1
        if len(values) == 1:
            return values[0]
        whole = "".join(map(str, values))
        if len(whole) > MAX_TEXT:
            raise Open
        return whole

    def _inner(self, text: str, node: Node) -> Json:
        """The value of what stands between `${` and `}`."""
        if _KEY.fullmatch(text):
            return self._look_up(text, node)
        call = _CALL.fullmatch(text)
        if call is None:
            raise Open
        name, arguments = call[1], [part.strip() for part in _split(call[2])]
        if name == "oc.select" and arguments and _KEY.fullmatch(arguments[0]):
            return self._select(arguments, node)
        if name not in self.resolvers or len(arguments) != 2:
            raise Open
        one, other = (self._number(argument, node) for argument in arguments)
        try:
            value = self.resolvers[name](one, other)
        except ArithmeticError:
            raise Open from None
        if not math.isfinite(value) or abs(value) > MAX_NUMBER:
            raise Open
        return value

    def _select(self, arguments: list[str], node: Node) -> Json:
        try:
            return self._look_up(arguments[0], node)
        except Open:
            if len(arguments) < 2:
                raise
            return self._argument(arguments[1], node)

    def _look_up(self, path: str, node: Node) -> Json:
        if path.startswith("."):
            path = self._absolute(path, node)
        place = self.place(path)
        if place is None:
            raise Open
        value = self.plain(place.value)
        if value == _MISSING or (isinstance(value, str) and "${" in value):
            raise Open
        return value

    def _absolute(self, path: str, node: Node) -> str:
        """One dot is the block of the value itself, each further dot the block around it."""
        if self._paths is None:
            walks = (self._walk(root, "") for root in self.roots())
            self._paths = {id(inner): where for walk in walks for where, inner in walk}
        steps = self._paths.get(id(node), "").split(".")
        dots = len(path) - len(path.lstrip("."))
        if dots > len(steps):
            raise Open
        return ".".join([*steps[: len(steps) - dots], path.lstrip(".")])

    def _walk(self, block: Mapping, above: str) -> Iterator[tuple[str, Node]]:
        for entry in block.entries:
            if isinstance(entry.key, Scalar):
                path = f"{above}.{entry.key.value}" if above else entry.key.value
                yield path, entry.value
                if isinstance(entry.value, Mapping):
                    yield from self._walk(entry.value, path)

    def _argument(self, text: str, node: Node) -> Json:
        if "${" in text:
            return self._text(text, node)
        if text[:1] in "'\"" and text[-1:] == text[:1] and len(text) > 1:
            return text[1:-1]
        try:
            return scalar_value(Scalar(0, 0, text, ""), self.loader)
        except TooManyDigits:
            raise Open from None

    def _number(self, text: str, node: Node) -> int | float:
        value = self._argument(text, node)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_NUMBER:
            raise Open
        return value


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The text in pieces: (False, as written) and (True, what stands inside `${` and `}`).

    Raises:
        Open: a brace that is not closed, or an escaped reference.
    """
    at = 0
    while True:
        start = text.find("${", at)
        if start < 0:
            if at < len(text):
                yield False, text[at:]
            return
        if text[start - 1 : start] == "\\" and start:
            raise Open
        if start > at:
            yield False, text[at:start]
        at = _closing(text, start + 2) + 1
        yield True, text[start + 2 : at - 1]


def _closing(text: str, at: int) -> int:
    depth = 1
    for index in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise Open


def _split(text: str) -> list[str]:
    """Arguments between commas, those inside braces kept together."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
