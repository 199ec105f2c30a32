"""The files that a notebook writes with `%%writefile`, each with its place in the cell."""

from __future__ import annotations

from dataclasses import dataclass

from workload.dialects import Change
from workload.dialects.notebook_magics import FILE_CELLS, CellRole
from workload.dialects.notebook_text import NotebookCode, read_code
from workload.source import SourceText
from workload.splice.notebook import Cell, Notebook


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a cell writes."""

    notebook: Notebook
    cell: Cell
    name: str
    start: int
    """Offset of its text in the cell's text."""

    @property
    def source(self) -> SourceText:
        """Its text under its own name."""
        return SourceText(self.name, self.cell.text[self.start :])

    def line(self, line: int | None) -> int | None:
        """The line of the notebook's JSON text for a line of the file."""
        if line is None:
            return None
        starts = self.source.line_starts
        at = self.start + starts[min(line, len(starts)) - 1]
        return self.notebook.line(self.cell, min(at, len(self.cell.text)))

    def change(self, change: Change) -> Change:
        """The change of the JSON text for one of the file. Raises CannotEdit."""
        moved = change._replace(start=change.start + self.start, end=change.end + self.start)
        return self.notebook.change(self.cell, moved)


def written_files(source: SourceText) -> list[WrittenFile]:
    """The files that the cells of a notebook write; of one written twice the last text.

    Raises:
        InputError: no notebook that can be read.
    """
    code: NotebookCode = source.parsed(read_code)
    found: dict[str, WrittenFile] = {}
    for cell, role in code.roles:
        name = written_name(role)
        if name:
            found.pop(name, None)
            found[name] = WrittenFile(code.notebook, cell, name, role.body)
    return list(found.values())


def written_name(role: CellRole) -> str:
    """The name of the file, its folders taken off; '' for a cell that writes or appends none."""
    words = role.argument.split()
    if role.magic not in FILE_CELLS or not words or "-a" in words or "--append" in words:
        return ""
    return words[-1].strip("'\"").replace("\\", "/").rpartition("/")[2][:100]
