"""A YAML text as a tree of nodes with exact positions, guarded against hostile input.

The libyaml event stream is read once, without recursion: depth, size, aliases, tags and the number
of documents are checked while it runs, before anything is constructed. What a scalar means is not
decided here (`yaml_values`), because every framework's loader decides it differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from audit.records.errors import InputError
from workload.source import SourceText

MAX_DEPTH = 50
MAX_NODES = 20_000
MAX_ALIASES = 100
MAX_EXPANDED = 100_000
"""Real training files stay below depth 12 and 3,000 nodes (1,040 files read)."""
MAX_STRICT_CHARACTERS = 50_000
"""Texts with tabs are read by the slower parser in pure Python, which the frameworks use, up to
this size: libyaml takes some tabs that it refuses."""

_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(
    _CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")
)
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Scalar:
    """One value: `value` is the text after quotes and escapes, [start, end) its characters."""

    start: int
    end: int
    value: str
    style: str
    """'' plain, `'`, `"`, `|` or `>`."""
    tag: str | None = None
    anchor: str | None = None


@dataclass(slots=True)
class Sequence:
    """A list; `flow` when it is written in brackets."""

    start: int
    end: int
    flow: bool
    anchor: str | None = None
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A key and its value."""

    key: Node
    value: Node


@dataclass(slots=True)
class Mapping:
    """A block or flow mapping; entries in the order of the text, repeated keys included."""

    start: int
    end: int
    flow: bool
    anchor: str | None = None
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Alias:
    """A `*name` and the node that it stands for."""

    start: int
    end: int
    name: str
    target: Node


Node = Scalar | Sequence | Mapping | Alias


def read_tree(source: SourceText) -> Node | None:
    """The root node of the only document; None where the text holds no value.

    Raises:
        InputError: broken YAML, templates, several documents, tags beyond the core ones, too deep,
            too large, too many aliases; with line, column and remedy.
    """
    text = source.text
    strict = "\t" in text and len(text) <= MAX_STRICT_CHARACTERS
    try:
        return _Builder(source).build(yaml.SafeLoader if strict else _FAST)
    except yaml.MarkedYAMLError as error:
        raise _broken(source, error) from None
    except yaml.reader.ReaderError as error:
        reason = f"character U+{ord(str(error.character)[:1] or '?'):04X} is not allowed in YAML"
        line = source.line_of(error.position)
        raise InputError(reason, file=source.name, line=line, remedy="Remove it") from None


class _Builder:
    """Turns events into nodes; keeps the open collections on a stack."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.root: Node | None = None
        self.open: list[Sequence | Mapping] = []
        self.keys: list[Node | None] = []
        self.anchors: dict[str, Node] = {}
        self.nodes = self.aliases = self.documents = 0

    def build(self, loader: Any) -> Node | None:
        """The root of the first document."""
        events: Iterator[Any] = yaml.parse(self.source.text, Loader=loader)
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._tag(event)
                self._add(
                    Scalar(
                        *_span(event),
                        event.value,
                        event.style if event.style in ("'", '"', "|", ">") else "",
                        event.tag if event.tag not in (None, "!") else None,
                        event.anchor,
                    ),
                    event,
                )
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._start(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self.open.pop().end = _span(event)[1]
                self.keys.pop()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._document(event)
        if self.aliases:
            self._expansion()
        return self.root

    def _start(self, event: Any) -> None:
        self._tag(event)
        kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
        start = event.start_mark.index
        node = kind(start, start, bool(event.flow_style), event.anchor)
        self._add(node, event)
        if len(self.open) >= MAX_DEPTH:
            raise self._refused(event, f"YAML nested deeper than {MAX_DEPTH} levels")
        self.open.append(node)
        self.keys.append(None)

    def _add(self, node: Node, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._refused(event, f"more than {MAX_NODES:,} values: no training file")
        if not isinstance(node, Alias) and node.anchor:
            self.anchors[node.anchor] = node
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self.keys[-1]
        if key is None:
            if isinstance(node, Mapping) and parent.flow and node.flow:
                raise _template(self.source, event.start_mark.index)
            self.keys[-1] = node
        else:
            parent.entries.append(Entry(key, node))
            self.keys[-1] = None

    def _alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self._refused(event, f"more than {MAX_ALIASES} YAML aliases")
        target = self.anchors.get(event.anchor)
        if target is None:
            raise self._refused(event, f"the alias *{event.anchor} names no anchor above it")
        if any(node is target for node in self.open):
            raise self._refused(event, f"the alias *{event.anchor} contains itself")
        self._add(Alias(*_span(event), event.anchor, target), event)

    def _tag(self, event: Any) -> None:
        if event.tag in (None, "!") or event.tag in _CORE_TAGS:
            return
        shown = event.tag.replace(_CORE, "!!")
        reason = f"the tag {shown[:60]} is not read: it could run code or load files"
        remedy = "Remove the tag; training files need none"
        raise self._refused(event, reason, remedy)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            reason = "the file holds several YAML documents; training frameworks read one"
            raise self._refused(event, reason, "Upload the document to audit as its own file")

    def _expansion(self) -> None:
        """Refuses aliases that would multiply into a huge value."""
        sizes: dict[int, int] = {}

        def size(node: Node) -> int:
            if isinstance(node, Scalar):
                return 1
            if isinstance(node, Alias):
                return size(node.target)
            if id(node) not in sizes:
                inner = (
                    node.items if isinstance(node, Sequence) else [e.value for e in node.entries]
                )
                sizes[id(node)] = 1 + sum(size(one) for one in inner)
            return sizes[id(node)]

        if self.root is not None and size(self.root) > MAX_EXPANDED:
            reason = f"its YAML aliases expand to more than {MAX_EXPANDED:,} values"
            raise InputError(reason, file=self.source.name, remedy="Write the values out")

    def _refused(self, event: Any, reason: str, remedy: str | None = None) -> InputError:
        at = event.start_mark.index
        line, column = self.source.line_of(at), self.source.column_of(at)
        return InputError(
            reason,
            file=self.source.name,
            line=line,
            column=column,
            remedy=remedy or "Upload the training file as the framework reads it",
        )


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _template(source: SourceText, at: int) -> InputError:
    reason = "the file is a template ({{ ... }}), not yet a config"
    remedy = "Render it first and upload the result; quote the value if the braces are meant"
    line, column = source.line_of(at), source.column_of(at)
    return InputError(reason, file=source.name, line=line, column=column, remedy=remedy)


def _broken(source: SourceText, error: yaml.MarkedYAMLError) -> InputError:
    mark = error.problem_mark or error.context_mark
    if error.problem and "end of stream" in error.problem:
        mark = error.context_mark or mark  # where the quote or bracket was opened
    at = mark.index if mark else 0
    line = source.line_of(min(at, len(source.text)))
    shown = source.line_text(line)
    if "{{" in shown or "{%" in shown:
        return _template(source, at)
    column = source.column_of(min(at, len(source.text)))
    indent = shown[: len(shown) - len(shown.lstrip())]
    if "\t" in indent:
        reason, remedy = "a tab indents this line", "Indent with spaces: YAML refuses tabs"
        column = indent.index("\t") + 1
    elif "\t" in shown[column - 1 : column]:
        reason, remedy = "a tab stands where YAML takes only spaces", "Replace it by spaces"
    else:
        reason = f"the YAML is broken: {error.problem or error.context}"
        if "nesting depth" in reason:  # newer libyaml refuses before the events come here
            reason = f"YAML nested deeper than {MAX_DEPTH} levels"
        remedy = "Check the indentation, the colon and the quotes there and just above"
    return InputError(reason, file=source.name, line=line, column=column, remedy=remedy)
