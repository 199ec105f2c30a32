"""The code cells of a notebook as one Python text, and the way back from it into the cells.

Cells follow in their order. Commands to IPython and the shell become comments (what they pin is
read from there), `%env` becomes an assignment to `os.environ`, a cell in another language becomes
comments as a whole, and a cell that Python cannot read is left out with a notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from audit.records.errors import InputError
from audit.records.workload import Notice
from workload.dialects.notebook_magics import CellLine, CellRole, assigned_name, is_plain, read_cell
from workload.dialects.notebook_map import CellText, Stretch
from workload.dialects.script_parse import parse_script
from workload.source import SourceText
from workload.splice.notebook import Cell, Notebook, read_notebook


@dataclass
class NotebookCode(CellText):
    """The Python text of a notebook and its map."""

    roles: list[tuple[Cell, CellRole]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @cached_property
    def source(self) -> SourceText:
        """The Python text, under the notebook's name."""
        source = self.notebook.source
        return SourceText(source.name, "".join(self.parts), trainer=source.trainer)

    def add(self, cell: Cell, role: CellRole, *, left_out: bool = False) -> None:
        """The lines of a cell."""
        for line in role.lines:
            if left_out or role.magic:
                self._comment(cell, line)
            elif line.kind == "python":
                self.write(cell, line.text, line.start, copied=True)
            elif line.kind == "variable":
                self._variable(cell, line)
            else:
                self._comment(cell, line)
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")
            self.length += 1

    def _comment(self, cell: Cell, line: CellLine) -> None:
        """A line that is no Python: `pass`, so that no block is empty, and the words behind it."""
        words = line.text.lstrip(" \t")
        indent = line.text[: len(line.text) - len(words)]
        head = assigned_name(line.text) if line.kind == "foreign" else None
        text = re.sub("\r(?!\n)|[\f\x00\ud800-\udfff]", " ", words)
        text = text if text.endswith("\n") else text + "\n"
        if head is not None:
            self.write(cell, f"{head}get_ipython()\n", line.start)
        elif indent and self._is_command(line):
            self.write(cell, f"{indent}pass\n", line.start)
        self.write(cell, f"# {text}", line.start)

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
        self.write(cell, head, line.start)
        if not is_plain(line.value):
            self.rest("get_ipython()\n")
            return
        literal = repr(line.value)
        self.stretches.append(
            Stretch(self.length, self.length + len(literal), cell, line.value_at, quoted=True)
        )
        self.rest(literal + "\n")


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
    code = NotebookCode(notebook, roles=roles)
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
