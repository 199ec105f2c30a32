"""The code cells of a notebook as one Python text, and the way back from it into the cells.

Cells follow in their order. Commands to IPython and the shell become comments (what they pin is
read from there), `%env` becomes an assignment to `os.environ`, a cell in another language becomes
comments as a whole, and a cell that Python cannot read is left out with a notice.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from audit.records.errors import InputError
from audit.records.workload import Notice
from workload.dialects import CannotEdit, Change
from workload.dialects.notebook_magics import CellLine, CellRole, assigned_name, is_plain, read_cell
from workload.dialects.script_parse import parse_script
from workload.source import SourceText
from workload.splice.notebook import Cell, Notebook, read_notebook

_LINE_END = re.compile(r"\r\n|\r|\n")


class Stretch(NamedTuple):
    """Characters of the Python text that stand in a cell just so."""

    start: int
    end: int
    cell: Cell
    at: int
    """Offset of the first one in the cell's text."""
    quoted: bool = False
    """The Python text has them as a literal in quotes; the cell has the bare words."""


class CodePlace(NamedTuple):
    """A line of the Python text in its cell."""

    cell: Cell
    offset: int
    """Of the line's first character in the cell's text."""

    @property
    def words(self) -> str:
        """`cell 7, line 3`."""
        return f"cell {self.cell.number}, line {self.cell.text.count(chr(10), 0, self.offset) + 1}"


@dataclass
class NotebookCode:
    """The Python text of a notebook and its map."""

    notebook: Notebook
    roles: list[tuple[Cell, CellRole]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    places: list[CodePlace] = field(default_factory=list)
    """One per line of the text."""
    notices: list[Notice] = field(default_factory=list)
    length: int = 0

    @cached_property
    def source(self) -> SourceText:
        """The Python text, under the notebook's name."""
        source = self.notebook.source
        return SourceText(source.name, "".join(self.parts), trainer=source.trainer)

    def place(self, line: int | None) -> CodePlace | None:
        """Where a 1-based line of the Python text stands."""
        return self.places[line - 1] if line and 1 <= line <= len(self.places) else None

    def line(self, line: int | None) -> int | None:
        """The line of the notebook's JSON text for a line of the Python text."""
        place = self.place(line)
        return None if place is None else self.notebook.line(place.cell, place.offset)

    def change(self, change: Change) -> Change:
        """The change of the JSON text that makes a change of the Python text.

        Raises:
            CannotEdit: the characters stand in no one cell.
        """
        index = bisect_right(self.stretches, change.start, key=lambda one: one.start) - 1
        for stretch in self.stretches[max(0, index - 1) : index + 1]:
            if change.end == stretch.end + 1 and not change.text and not stretch.quoted:
                change = change._replace(end=stretch.end)  # the line end that we put there
            if stretch.start <= change.start and change.end <= stretch.end:
                return self._within(stretch, change)
        reason = "the edit would reach over a notebook command or into another cell"
        raise CannotEdit(reason, "Make it in the notebook by hand")

    def _within(self, stretch: Stretch, change: Change) -> Change:
        start, end = change.start, change.end
        text = change.text
        if stretch.quoted:
            if (start, end) != (stretch.start, stretch.end):
                reason = "the variable is set by a notebook command"
                raise CannotEdit(reason, "Change the %env line by hand")
            text = str(ast.literal_eval(text))
            length = len(ast.literal_eval(self.source.text[start:end]))
            inside = Change(stretch.at, stretch.at + length, text, change.key)
            return self.notebook.change(stretch.cell, inside)
        shift = stretch.at - stretch.start
        inside = Change(start + shift, end + shift, text, change.key)
        return self.notebook.change(stretch.cell, inside)

    def add(self, cell: Cell, role: CellRole, *, left_out: bool = False) -> None:
        """The lines of a cell."""
        for line in role.lines:
            if left_out or role.magic:
                self._comment(cell, line)
            elif line.kind == "python":
                self._write(cell, line.text, line.start, copied=True)
            elif line.kind == "variable":
                self._variable(cell, line)
            else:
                self._comment(cell, line)
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")
            self.length += 1

    def _write(self, cell: Cell, text: str, at: int, *, copied: bool = False) -> None:
        if copied:
            last = self.stretches[-1] if self.stretches else None
            joined = last is not None and last.cell is cell and not last.quoted
            if last is not None and joined and last.end == self.length:
                last = self.stretches.pop()
                self.stretches.append(last._replace(end=self.length + len(text)))
            else:
                self.stretches.append(Stretch(self.length, self.length + len(text), cell, at))
        ends = len(_LINE_END.findall(text.removesuffix("\n"))) + 1
        self.places += [CodePlace(cell, at)] * ends
        self.parts.append(text)
        self.length += len(text)

    def _comment(self, cell: Cell, line: CellLine) -> None:
        """A line that is no Python: `pass`, so that no block is empty, and the words behind it."""
        words = line.text.lstrip(" \t")
        indent = line.text[: len(line.text) - len(words)]
        head = assigned_name(line.text) if line.kind == "foreign" else None
        text = re.sub("\r(?!\n)|[\f\x00\ud800-\udfff]", " ", words)
        text = text if text.endswith("\n") else text + "\n"
        if head is not None:
            self._write(cell, f"{head}get_ipython()\n", line.start)
        elif indent and self._is_command(line):
            self._write(cell, f"{indent}pass\n", line.start)
        self._write(cell, f"# {text}", line.start)

    def _is_command(self, line: CellLine) -> bool:
        return line.kind == "command" and line.text.lstrip()[:1] in "!%?"

    def _variable(self, cell: Cell, line: CellLine) -> None:
        """`%env NAME=value` as the assignment that it makes."""
        if "#" in line.value:
            message = f"%env takes the whole line: the comment is part of the value of {line.name}"
            name, at = self.notebook.source.name, self.notebook.line(cell, line.start)
            self.notices.append(Notice(kind="note", message=message, file=name, line=at))
        indent = line.text[: len(line.text) - len(line.text.lstrip())]
        head = f"{indent}os.environ[{line.name!r}] = "
        self._write(cell, head, line.start)
        if not is_plain(line.value):
            self._rest("get_ipython()\n")
            return
        literal = repr(line.value)
        self.stretches.append(
            Stretch(self.length, self.length + len(literal), cell, line.value_at, quoted=True)
        )
        self._rest(literal + "\n")

    def _rest(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def read_code(source: SourceText) -> NotebookCode:
    """The Python of a notebook.

    Raises:
        InputError: no notebook, or one of another language.
    """
    notebook = source.parsed(read_notebook)
    if notebook.language not in ("python", "python3", "ipython", ""):
        reason = f"the notebook's language is {notebook.language[:40]}, not Python"
        raise InputError(reason, file=source.name, remedy="Upload a Python notebook or script")
    cells = [cell for cell in notebook.cells if cell.kind == "code" and cell.text]
    roles = [(cell, read_cell(cell.text)) for cell in cells]
    code = _join(notebook, roles, frozenset())
    try:
        code.source.parsed(parse_script)
    except InputError:
        broken = frozenset(cell.number for cell, role in roles if not _parses(notebook, cell, role))
        code = _join(notebook, roles, broken)
    return code


def _join(
    notebook: Notebook, roles: list[tuple[Cell, CellRole]], broken: frozenset[int]
) -> NotebookCode:
    code = NotebookCode(notebook, roles)
    for cell, role in roles:
        code.add(cell, role, left_out=cell.number in broken)
        if cell.number in broken:
            message = f"cell {cell.number} is no Python that can be read; it is left out"
            line = notebook.line(cell, 0)
            name = notebook.source.name
            code.notices.append(Notice(kind="note", message=message, file=name, line=line))
    return code


def _parses(notebook: Notebook, cell: Cell, role: CellRole) -> bool:
    alone = NotebookCode(notebook)
    alone.add(cell, role)
    try:
        alone.source.parsed(parse_script)
    except InputError:
        return False
    return True
