"""A notebook that trains with a file it writes itself: `%%writefile config.yaml`, a script, a JSON.

The cell that writes the file is read as that file, by the dialect of its content; every place and
every edit leads back into the cell. Commands that launch it are not joined to it yet: their options
are told of in a notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.dialects import CannotEdit, Change, Detection, Dialect, Reading
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
        name = _name(role)
        if name:
            found.pop(name, None)
            found[name] = WrittenFile(code.notebook, cell, name, role.body)
    return list(found.values())


def _name(role: CellRole) -> str:
    """The name of the file, its folders taken off; '' for a cell that writes or appends none."""
    words = role.argument.split()
    if role.magic not in FILE_CELLS or not words or "-a" in words or "--append" in words:
        return ""
    return words[-1].strip("'\"").replace("\\", "/").rpartition("/")[2][:100]


@dataclass(frozen=True, slots=True)
class _Inner:
    """What the edits need."""

    file: WrittenFile
    reading: Reading


@dataclass(frozen=True, slots=True)
class WrittenFileDialect:
    """The dialect of a file inside a notebook."""

    name: str
    """Of the file that the notebook writes."""
    inner: Dialect

    @property
    def format(self) -> str:
        """The format of the file."""
        return self.inner.format

    @property
    def framework(self) -> str:
        """The framework of the file."""
        return self.inner.framework

    def detect(self, source: SourceText) -> Detection:
        """As the file is detected. Raises InputError."""
        file = self._file(source)
        found = self.inner.detect(file.source)
        return replace(found, reason=f"{found.reason}; {self.name}, cell {file.cell.number}")

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of the file, at their places in the notebook. Raises InputError."""
        file = self._file(source)
        try:
            reading = self.inner.read(file.source, versions)
        except InputError as error:
            line = file.line(error.line)
            raise InputError(
                error.reason, file=source.name, line=line, remedy=error.remedy
            ) from None
        fields = {name: self._field(file, source, one) for name, one in reading.fields.items()}
        note = (
            f"read is {self.name}, which cell {file.cell.number} writes; no launch line is joined"
        )
        told = Notice(kind="note", message=note, file=source.name, line=file.line(1))
        return replace(
            reading,
            fields=fields,
            notices=(told, *(self._notice(file, source, one) for one in reading.notices)),
            named_files=tuple(
                one._replace(line=file.line(one.line) or 1) for one in reading.named_files
            ),
            tree=_Inner(file, reading),
        )

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the JSON text that make `edit`. Raises CannotEdit."""
        held: _Inner = reading.tree
        try:
            changes = self.inner.changes(held.file.source, edit, held.reading)
        except CannotEdit as error:
            line = held.file.line(error.line)
            raise CannotEdit(error.reason, error.advice, line) from None
        return tuple(held.file.change(change) for change in changes)

    def _file(self, source: SourceText) -> WrittenFile:
        for one in written_files(source):
            if one.name == self.name:
                return one
        reason = f"no cell writes {self.name}"
        raise InputError(reason, file=source.name, remedy="Upload the file itself")

    def _field(self, file: WrittenFile, source: SourceText, value: FieldValue) -> FieldValue:
        if value.file is None and value.line is None:
            return value
        update = {"file": source.name, "line": file.line(value.line)}
        return value.model_copy(update=update)

    def _notice(self, file: WrittenFile, source: SourceText, notice: Notice) -> Notice:
        return notice.model_copy(update={"file": source.name, "line": file.line(notice.line)})
