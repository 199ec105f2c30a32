"""Replaces, inserts and removes arguments of calls in Python source at their exact characters.

Works on the positions of an `ast` tree, whose columns are UTF-8 bytes. It never prints a tree back:
every other character of the text stays as it is. It knows nothing of what an argument means.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from workload.dialects import Change

MAX_LINE = 100
"""Characters that an argument is added to beside others; formatters wrap at 79 to 120."""
_LINE_END = re.compile(r"\r\n|\r|\n")
_SKIPPED = re.compile(r"(?:\s+|#[^\r\n]*|\\\r?\n)*")
_BLANKS = re.compile(r"[ \t\f]*")
_REST_OF_LINE = re.compile(r"[ \t\f]*(?:#[^\r\n]*)?")


class Span(NamedTuple):
    """The characters [start, end) of the text."""

    start: int
    end: int


@dataclass(frozen=True)
class PythonText:
    """Python source with its lines as Python counts them (a lone carriage return ends one too)."""

    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """Character offset of a 1-based line and a 0-based column in UTF-8 bytes."""
        start = self.line_starts[line - 1]
        head = self.text[start : start + column]
        if head.isascii():
            return start + column
        return start + len(head.encode("utf-8")[:column].decode("utf-8", "ignore"))

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> Span:
        """The characters of a node, without parentheses around it."""
        end_line, end_column = node.end_lineno, node.end_col_offset
        if end_line is None or end_column is None:
            message = "a node without an end"
            raise ValueError(message)
        start = self.offset(node.lineno, node.col_offset)
        return Span(start, self.offset(end_line, end_column))

    def source_of(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        """The text of a node as the user wrote it."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_start(self, at: int) -> int:
        """Offset of the first character of the line that holds `at`."""
        return self.line_starts[bisect_right(self.line_starts, at) - 1]

    def line_stop(self, at: int) -> int:
        """Offset of the line end of the line that holds `at`."""
        found = _LINE_END.search(self.text, at)
        return found.start() if found else len(self.text)

    def line_end_at(self, at: int) -> str:
        """The line end of the line that holds `at`; a line feed on a last line without one."""
        found = _LINE_END.search(self.text, at)
        return found.group() if found else "\n"

    def indent_at(self, at: int) -> str | None:
        """The blanks before `at` on its line; None where something else stands there."""
        head = self.text[self.line_start(at) : at]
        return head if not head.strip(" \t\f") else None

    def next_token(self, at: int) -> int:
        """Offset of the first character at or after `at` that is no blank and no comment."""
        found = _SKIPPED.match(self.text, at)
        return found.end() if found else at


@dataclass(frozen=True)
class Group:
    """The elements between the brackets of a call or a dict display, in text order."""

    opening: int
    """Offset just behind the opening bracket."""
    elements: tuple[Span, ...]
    closing: int
    """Offset of the closing bracket."""
    first_unpacked: int | None = None
    """Index of the first `**mapping`; what is inserted stands before it."""


def call_group(python: PythonText, call: ast.Call) -> Group:
    """The arguments of a call."""
    nodes: list[ast.expr | ast.keyword] = sorted(
        [*call.args, *call.keywords], key=lambda node: (node.lineno, node.col_offset)
    )
    after_name = python.span(call.func).end
    opening = python.text.index("(", _past_parentheses(python, after_name))
    unpacked = next(
        (at for at, node in enumerate(nodes) if isinstance(node, ast.keyword) and node.arg is None),
        None,
    )
    spans = tuple(_whole(python, node) for node in nodes)
    return Group(opening + 1, spans, python.span(call).end - 1, unpacked)


def dict_group(python: PythonText, display: ast.Dict) -> Group:
    """The entries of a dict display."""
    spans, unpacked = [], None
    for at, (key, value) in enumerate(zip(display.keys, display.values, strict=True)):
        end = _whole(python, value).end
        if key is None:
            unpacked = at if unpacked is None else unpacked
            spans.append(Span(python.text.rindex("**", 0, python.span(value).start), end))
        else:
            spans.append(Span(_whole(python, key).start, end))
    whole = python.span(display)
    return Group(whole.start + 1, tuple(spans), whole.end - 1, unpacked)


def replace(python: PythonText, node: ast.expr, text: str) -> Change:
    """Replaces one expression and nothing around it."""
    start, end = python.span(node)
    return Change(start, end, text)


def insert(python: PythonText, group: Group, text: str) -> tuple[Change, ...]:
    """Inserts an element last, before the first `**mapping`, laid out like the one before it."""
    last = len(group.elements) if group.first_unpacked is None else group.first_unpacked
    if last == 0:
        return (_insert_first(python, group, text),)
    before = group.elements[last - 1]
    indent = python.indent_at(before.start)
    if indent is None:
        return (Change(before.end, before.end, _beside(python, group, before, text)),)
    line_end = python.line_end_at(group.opening)
    after = python.next_token(before.end)
    if python.text[after] != ",":
        return _after_last(python, before.end, f"{line_end}{indent}{text}")
    rest = _REST_OF_LINE.match(python.text, after + 1)
    stop = rest.end() if rest else after + 1
    if stop == python.line_stop(stop):
        at = _next_line(python, stop)
        return (Change(at, at, f"{indent}{text},{line_end}"),)
    return (Change(after + 1, after + 1, f"{line_end}{indent}{text},"),)


def remove(python: PythonText, group: Group, index: int) -> Change:
    """Removes one element: its whole lines where it stands alone on them, else with one comma."""
    start, end = group.elements[index]
    comma = python.next_token(end)
    stop = comma + 1 if python.text[comma] == "," else end
    indent = python.indent_at(start)
    rest = _REST_OF_LINE.match(python.text, stop)
    line_stop = rest.end() if rest else stop
    if indent is not None and line_stop == python.line_stop(line_stop):
        return Change(start - len(indent), _next_line(python, line_stop), "")
    if stop > end and index + 1 < len(group.elements):
        blanks = _BLANKS.match(python.text, stop)
        return Change(start, blanks.end() if blanks else stop, "")
    if index == 0:
        return Change(start, stop, "")
    before = group.elements[index - 1].end
    gap = python.text[before:start]
    if "#" in gap:
        return Change(start, stop, "")
    return Change(before, end, "")


def remove_statement(python: PythonText, statement: ast.stmt) -> Change | None:
    """Removes the lines of a statement; None where it shares a line with something else."""
    start, end = python.span(statement)
    indent = python.indent_at(start)
    rest = _REST_OF_LINE.match(python.text, end)
    stop = rest.end() if rest else end
    if indent is None or stop != python.line_stop(stop):
        return None
    return Change(start - len(indent), _next_line(python, stop), "")


def insert_behind(python: PythonText, statement: ast.stmt, text: str) -> Change | None:
    """Adds a statement on a line of its own behind another; None where more code follows there."""
    span = python.span(statement)
    indent = python.indent_at(span.start)
    stop = python.line_stop(span.end)
    rest = python.text[span.end : stop].strip()
    if indent is None or (rest and not rest.startswith("#")):
        return None
    return Change(stop, stop, f"{python.line_end_at(span.start)}{indent}{text}")


def apply(text: str, changes: Sequence[Change]) -> str:
    """The text after changes that do not overlap."""
    for change in sorted(changes, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def _beside(python: PythonText, group: Group, before: Span, text: str) -> str:
    """`, text`; on a line of its own where several share lines and this one is full."""
    start, stop = python.line_start(before.end), python.line_stop(before.end)
    first = next((one for one in group.elements if one.start >= start), before)
    indent = python.indent_at(first.start)
    if indent is None or stop - start + len(text) + 2 <= MAX_LINE:
        return f", {text}"
    return f",{python.line_end_at(group.opening)}{indent}{text}"


def _after_last(python: PythonText, end: int, text: str) -> tuple[Change, ...]:
    """Adds `text` behind an element that has no comma; a comment behind it keeps its line."""
    rest = _REST_OF_LINE.match(python.text, end)
    stop = rest.end() if rest else end
    if "#" not in python.text[end:stop]:
        return (Change(end, end, f",{text}"),)
    return (Change(end, end, ","), Change(stop, stop, text))


def _insert_first(python: PythonText, group: Group, text: str) -> Change:
    if not group.elements:
        return Change(group.opening, group.opening, text)
    start = group.elements[0].start
    indent = python.indent_at(start)
    if indent is None:
        return Change(start, start, f"{text}, ")
    return Change(start, start, f"{text},{python.line_end_at(group.opening)}{indent}")


def _next_line(python: PythonText, stop: int) -> int:
    found = _LINE_END.match(python.text, stop)
    return found.end() if found else stop


def _past_parentheses(python: PythonText, at: int) -> int:
    """Behind the `)` that may close parentheses around the called expression."""
    while True:
        following = python.next_token(at)
        if not python.text.startswith(")", following):
            return following
        at = following + 1


def _whole(python: PythonText, node: ast.expr | ast.keyword) -> Span:
    """The characters of an element with the parentheses around it."""
    start, end = python.span(node)
    if isinstance(node, ast.keyword):
        return Span(start, end)
    while True:
        before = len(python.text[:start].rstrip()) - 1
        after = python.next_token(end)
        closes = python.text.startswith(")", after)
        if not closes or python.text[before] != "(" or _is_call_bracket(python, before):
            return Span(start, end)
        start, end = before, after + 1


def _is_call_bracket(python: PythonText, at: int) -> bool:
    """Whether the `(` at an offset follows a name or a closing bracket: a call's own bracket."""
    head = python.text[:at].rstrip()
    return bool(head) and (head[-1].isalnum() or head[-1] in "_)]}\"'")
