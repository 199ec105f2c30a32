"""A YAML mapping as a framework reads it: values by dotted path, each with its place in the text.

Repeated keys, aliases and merge keys are resolved as the loader resolves them, and remembered, so
that an edit of such a key can be refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from audit.records.base import Json
from audit.records.errors import InputError
from workload.source import SourceText
from workload.splice.yaml_tree import Alias, Mapping, Node, Scalar, Sequence, read_tree
from workload.splice.yaml_values import Loader, TooManyDigits, scalar_value


@dataclass(frozen=True, slots=True)
class Place:
    """One key of the file with its value."""

    path: str
    """Dotted: `fsdp_config.offload_params`."""
    key: Node
    value: Node
    parent: Mapping
    shared: bool
    """The value comes from an alias or a merge key: editing it would change other places."""
    repeated: bool
    """The key stands more than once in its block; the last one counts."""


class Reference(NamedTuple):
    """A value that the text leaves to other keys or to a variable, and what that makes of it."""

    origin: Literal["derived", "assumed", "unknown"]
    source: str


class Document:
    """The top-level mapping of a YAML file.

    Raises:
        InputError: on construction, where the text is no mapping, or a key is repeated for a
            loader that refuses that; reading a number of absurd length.
    """

    def __init__(self, source: SourceText, loader: Loader) -> None:
        self.source = source
        self.loader = loader
        root = source.parsed(read_tree)
        if not isinstance(root, Mapping):
            raise _no_mapping(source, root)
        self.root = root
        self._blocks: dict[int, dict[str, Place]] = {}

    @property
    def own(self) -> Document:
        """What the file itself holds, without what it refers to or inherits: edits work on it."""
        return self

    @property
    def inherited(self) -> tuple[str, ...]:
        """Names of the uploaded files that are read together with this one."""
        return ()

    def place(self, path: str) -> Place | None:
        """The key at a dotted path; None where the file does not hold it.

        A step `*` stands for the first key of its block that holds a block.
        """
        if "*" in path:
            path = self.expand(path)
        found = self._block(self.root).get(path)
        if found is not None or "." not in path:
            return found
        block: Node = self.root
        for step in path.split("."):
            found = self._block(block).get(step) if isinstance(block, Mapping) else None
            if found is None:
                return None
            block = _target(found.value)
        return replace(found, path=path) if found else None

    def expand(self, path: str) -> str:
        """A dotted path with every `*` replaced by the key it stands for, where there is one."""
        steps: list[str] = []
        for step in path.split("."):
            if step == "*":
                inner = self.places(".".join(steps))
                blocks = [one for one in inner if isinstance(_target(one.value), Mapping)]
                step = blocks[0].path.rpartition(".")[2] if blocks else step
            steps.append(step)
        return ".".join(steps)

    def file(self, place: Place) -> str:
        """The name of the file that holds a key."""
        return self.source.name

    def reference(self, place: Place) -> Reference | None:
        """What a value refers to; None where it stands in the text as it is."""
        return None

    def value(self, path: str) -> Json:
        """The value at a dotted path as plain data; None where it is null or absent."""
        found = self.place(path)
        return None if found is None else self.plain(found.value)

    def line(self, place: Place) -> int:
        """1-based line of the value, or of the key where the value is empty."""
        node = place.value
        return self.source.line_of(node.start if node.end > node.start else place.key.start)

    def places(self, path: str = "") -> list[Place]:
        """The keys of the block at a dotted path, in the order of the file; '' is the top level."""
        block: Node = self.root
        if path:
            found = self.place(path)
            if found is None:
                return []
            block = _target(found.value)
        if not isinstance(block, Mapping):
            return []
        above = path + "." if path else ""
        return [replace(place, path=above + key) for key, place in self._block(block).items()]

    def plain(self, node: Node) -> Json:
        """A node as plain data."""
        node = _target(node)
        if isinstance(node, Scalar):
            try:
                return scalar_value(node, self.loader)
            except TooManyDigits:
                reason = f"a number of {len(node.value):,} digits"
                line = self.source.line_of(node.start)
                remedy = "Write the number that is meant"
                raise InputError(reason, file=self.source.name, line=line, remedy=remedy) from None
        if isinstance(node, Sequence):
            return [self.plain(item) for item in node.items]
        if isinstance(node, Mapping):
            return {key: self.plain(place.value) for key, place in self._block(node).items()}
        return None

    def entries(self) -> dict[str, Json]:
        """Every leaf of the file by dotted path, list items numbered: what an edit may change."""
        found: dict[str, Json] = {}
        self._collect(self.plain(self.root), "", found)
        return found

    def repeated(self) -> Iterator[Place]:
        """Keys that stand more than once in the top-level mapping."""
        return (place for place in self._block(self.root).values() if place.repeated)

    def _collect(self, value: Json, path: str, found: dict[str, Json]) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                self._collect(inner, f"{path}.{key}" if path else key, found)
        elif isinstance(value, list) and value:
            for number, inner in enumerate(value):
                self._collect(inner, f"{path}[{number}]", found)
        else:
            found[path] = value

    def _block(self, block: Mapping) -> dict[str, Place]:
        """Key -> place within one mapping, its path being the key; merged keys stand first."""
        cached = self._blocks.get(id(block))
        if cached is None:
            cached = self._blocks[id(block)] = self._read_block(block)
        return cached

    def _read_block(self, block: Mapping) -> dict[str, Place]:
        own: dict[str, Place] = {}
        merged: dict[str, Place] = {}
        for entry in block.entries:
            key = _target(entry.key)
            if not isinstance(key, Scalar):
                continue
            name = key.value
            if name == "<<" and not key.style:
                merged = {**self._merged(entry.value), **merged}
                continue
            repeated = name in own
            if repeated and self.loader == "omegaconf":
                raise self._refused_repetition(key)
            shared = isinstance(entry.value, Alias)
            own[name] = Place(name, entry.key, entry.value, block, shared, repeated)
        return {**merged, **own} if merged else own

    def _merged(self, node: Node) -> dict[str, Place]:
        target = _target(node)
        blocks = target.items if isinstance(target, Sequence) else [target]
        found: dict[str, Place] = {}
        for block in map(_target, blocks):
            if isinstance(block, Mapping):
                for key, place in self._block(block).items():
                    found.setdefault(key, replace(place, shared=True, repeated=False))
        return found

    def _refused_repetition(self, key: Scalar) -> InputError:
        reason = f"the key {key.value} stands twice in its block, which this framework refuses"
        line = self.source.line_of(key.start)
        return InputError(reason, file=self.source.name, line=line, remedy="Remove one of them")


def _target(node: Node) -> Node:
    return node.target if isinstance(node, Alias) else node


def _no_mapping(source: SourceText, root: Node | None) -> InputError:
    remedy = "Upload the training file: `key: value` lines at its top level"
    if root is None:
        reason = "the file holds comments only: nothing to audit"
        return InputError(reason, file=source.name, remedy=remedy)
    kind = "a list" if isinstance(root, Sequence) else "a single value"
    reason = f"the top level is {kind}, not a mapping of settings"
    return InputError(reason, file=source.name, line=source.line_of(root.start), remedy=remedy)
