"""Text that is put together from the cells of a notebook, and the way back from it into the cells.

What stands there just so in a cell can be edited; what was written around it cannot.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from workload.dialects import CannotEdit, Change
from workload.source import SourceText
from workload.splice.notebook import Cell, Notebook

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
class CellText:
    """A text and its map."""

    notebook: Notebook
    parts: list[str] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    places: list[CodePlace] = field(default_factory=list)
    """One per line of the text."""
    length: int = 0

    @property
    def source(self) -> SourceText:
        """The text, under the notebook's name."""
        raise NotImplementedError

    def place(self, line: int | None) -> CodePlace | None:
        """Where a 1-based line of the Python text stands."""
        return self.places[line - 1] if line and 1 <= line <= len(self.places) else None

    def stretch_of(self, at: int) -> Stretch | None:
        """The stretch that holds the character at an offset."""
        index = bisect_right(self.stretches, at, key=lambda one: one.start) - 1
        found = self.stretches[index] if index >= 0 else None
        return found if found is not None and at < found.end else None

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

    def write(self, cell: Cell, text: str, at: int, *, copied: bool = False) -> None:
        """Adds text that stands for what a cell has at an offset; `copied`: it is just that."""
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

    def rest(self, text: str) -> None:
        """Adds text that stands in no cell, to the line that is being written."""
        self.parts.append(text)
        self.length += len(text)
