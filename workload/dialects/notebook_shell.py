"""The shell commands of a notebook as one script: its `!` lines and `%%bash` cells, in their order.

Each of them is a shell of its own, so variables end with it; what `%env`, `os.environ` and plain
constants of the cells set before is seen by all that follow. Nothing is run.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from audit.records.errors import InputError
from workload.dialects.notebook_magics import SHELL_CELLS, CellLine, CellRole, is_plain
from workload.dialects.notebook_map import CellText, Stretch
from workload.dialects.notebook_text import NotebookCode, read_code
from workload.dialects.notebook_written import written_name
from workload.dialects.script_parse import parse_script
from workload.source import SourceText
from workload.splice.notebook import Cell

_BRACES = re.compile(r"(?<![$\\{])\{(?P<text>[A-Za-z_][^{}\n:]*)\}")
_NAME = re.compile(r"[A-Za-z_]\w*")
_SHELLS = frozenset({"bash", "sh", "zsh"})


@dataclass(frozen=True, slots=True)
class _Constant:
    """A constant that a cell gives a name or a variable of the environment."""

    name: str
    exported: bool
    text: str
    at: int
    """Offset of its text in the Python text."""


@dataclass
class NotebookShell(CellText):
    """The script and its map."""

    @cached_property
    def source(self) -> SourceText:
        """The script, under a name of its own."""
        return SourceText(f"commands of {self.notebook.source.name}"[:200], "".join(self.parts))

    def line(self, line: int | None) -> int | None:
        """The line of the notebook's JSON text for a line of the script."""
        starts = self.source.line_starts
        if line is None or not 1 <= line <= len(starts):
            return None
        start = starts[line - 1]
        found = next((one for one in self.stretches if one.end > start), None)
        if found is None:
            return None
        return self.notebook.line(found.cell, found.at + max(0, start - found.start))

    def add(self, cell: Cell, role: CellRole, called: str) -> None:
        """The commands of a cell; of a script that a cell writes, where it is `called`."""
        name = written_name(role)
        if name.endswith((".sh", ".bash")) and re.search(rf"\b{re.escape(name)}", called):
            self.rest("(\n")
            self.copy(cell, cell.text[role.body :], role.body)
            self.rest("\n)\n")
            return
        shell = role.magic in SHELL_CELLS and (
            role.magic != "script" or bool(_SHELLS & set(re.split(r"[\s/]", role.argument)))
        )
        if shell:
            self.rest("(\n")
            self.copy(cell, cell.text[role.body :], role.body)
            self.rest("\n)\n")
        elif not role.magic:
            for line in role.lines:
                if line.kind == "variable":
                    self._variable(cell, line)
            for start, text in _commands(role):
                self._command(cell, text, start)

    def copy(self, cell: Cell, text: str, at: int) -> None:
        """Text that stands in the cell just so."""
        if text:
            self.stretches.append(Stretch(self.length, self.length + len(text), cell, at))
            self.rest(text)

    def constant(self, cell: Cell, name: str, text: str, at: int, *, exported: bool) -> None:
        """`NAME=text` for all that follows."""
        if "'" in text or "\n" in text:
            return
        self.rest(f"{'export ' if exported else ''}{name}='")
        self.copy(cell, text, at)
        self.rest("'\n")

    def _variable(self, cell: Cell, line: CellLine) -> None:
        if is_plain(line.value):
            self.constant(cell, line.name, line.value, line.value_at, exported=True)
        else:
            self.rest(f"export {line.name}=$(:)\n")

    def _command(self, cell: Cell, text: str, start: int) -> None:
        """A `!` line; under an `if` of Python it may not run."""
        indented = start > 0 and cell.text[start - 1] != "\n"
        bare = text.lstrip("!")
        if not _is_closed(bare):
            return  # an open quote would take the next commands in
        at = start + len(text) - len(bare)
        self.rest("if $condition; then\n( " if indented else "( ")
        done = 0
        for found in _BRACES.finditer(bare):
            self.copy(cell, bare[done : found.start()], at + done)
            name = found["text"]
            self.rest(f"${{{name}}}" if _NAME.fullmatch(name) else "$(:)")
            done = found.end()
        self.copy(cell, bare[done:], at + done)
        self.rest("\n)\nfi\n" if indented else "\n)\n")


def _is_closed(command: str) -> bool:
    """Whether every quote of a command ends in it."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def _commands(role: CellRole) -> Iterator[tuple[int, str]]:
    """Offset and text of every `!` command of a Python cell, continued lines joined."""
    now: list[str] = []
    start = 0
    for line in role.lines:
        goes_on = bool(now) and now[-1].rstrip("\r\n").endswith("\\")
        if goes_on and line.kind == "command":
            now.append(line.text)
            continue
        if now:
            yield start, "".join(now).rstrip("\r\n")
            now = []
        bare = line.text.lstrip(" \t")
        if line.kind == "command" and bare.startswith("!"):
            start = line.start + len(line.text) - len(bare)
            now = [bare]
    if now:
        yield start, "".join(now).rstrip("\r\n")


def read_shell_of(source: SourceText) -> NotebookShell:
    """The commands of a notebook.

    Raises:
        InputError: no notebook that can be read.
    """
    code: NotebookCode = source.parsed(read_code)
    shell = NotebookShell(code.notebook)
    constants = _constants(code)
    called = "\n".join(
        text for _, role in code.roles if not role.magic for _, text in _commands(role)
    )
    for cell, role in code.roles:
        for one in constants:
            place = code.stretch_of(one.at)
            if place is not None and place.cell is cell:
                at = place.at + one.at - place.start
                shell.constant(cell, one.name, one.text, at, exported=one.exported)
        shell.add(cell, role, called)
    return shell


def _constants(code: NotebookCode) -> list[_Constant]:
    """Names that the module itself gives a constant, once; variables of the environment."""
    try:
        tree = code.source.parsed(parse_script)
    except InputError:
        return []
    stored = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    found = []
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        name, exported = _target(statement.targets[0])
        text, at = _literal(code.source, statement.value)
        if name and at >= 0 and (exported or stored[name] == 1):
            found.append(_Constant(name, exported, text, at))
    return found


def _target(node: ast.expr) -> tuple[str, bool]:
    """The name that is set, and whether it is one of the environment."""
    if isinstance(node, ast.Name):
        return node.id, False
    if (
        isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "os.environ"
        and isinstance(node.slice, ast.Constant)
        and _NAME.fullmatch(str(node.slice.value))
    ):
        return str(node.slice.value), True
    return "", False


def _literal(source: SourceText, node: ast.expr) -> tuple[str, int]:
    """The characters of a plain text or number and their offset; -1 where it is no such thing."""
    if not isinstance(node, ast.Constant) or node.lineno != node.end_lineno:
        return "", -1
    line = source.line_text(node.lineno).encode()
    before = len(line[: node.col_offset].decode())
    written = line[node.col_offset : node.end_col_offset].decode()
    at = source.line_starts[node.lineno - 1] + before
    value = node.value
    if isinstance(value, str):
        return (value, at + 1) if written[1:-1] == value else ("", -1)
    plain = type(value) in (int, float) and written == str(value)
    return (written, at) if plain else ("", -1)
