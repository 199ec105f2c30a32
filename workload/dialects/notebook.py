"""Notebooks that train with TRL or transformers: read as the Python of their cells.

Every place is given as a line of the notebook's JSON text, so that evidence and diff agree; a
stated field also says in which cell and line a reader finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.dialects import CannotEdit, Change, Detection, Dialect, NamedFile, Reading
from workload.dialects.notebook_text import NotebookCode, read_code
from workload.dialects.script import PY_HF_TRAINER, PY_TRL
from workload.source import SourceText


@dataclass(frozen=True, slots=True)
class NotebookReading:
    """What the edits of a notebook need: its Python and how that reads."""

    code: NotebookCode
    script: Reading


@dataclass(frozen=True, slots=True)
class NotebookDialect:
    """Notebooks whose Python is of one dialect of scripts."""

    format: str
    script: Dialect

    @property
    def framework(self) -> str:
        """The framework of the script."""
        return self.script.framework

    def detect(self, source: SourceText) -> Detection:
        """Whether the first training run of the cells is of this framework.

        Raises:
            InputError: no notebook that can be read.
        """
        code = source.parsed(read_code)
        found = self.script.detect(code.source)
        return replace(found, reason=_with_cells(code, found.reason))

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of the notebook's first training run.

        Raises:
            InputError: no notebook, or no training run in it.
        """
        code = source.parsed(read_code)
        found = self.script.read(code.source, versions)
        return replace(
            found,
            fields={name: _field(code, value) for name, value in found.fields.items()},
            notices=(*code.notices, *(_notice(code, one) for one in found.notices)),
            named_files=tuple(_named(code, one) for one in found.named_files),
            tree=NotebookReading(code, found),
        )

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the JSON text that make `edit`.

        Raises:
            CannotEdit: with the line to write by hand.
        """
        held: NotebookReading = reading.tree
        try:
            changes = self.script.changes(held.code.source, edit, held.script)
        except CannotEdit as error:
            raise CannotEdit(error.reason, error.advice, held.code.line(error.line)) from None
        return tuple(held.code.change(change) for change in changes)


def _field(code: NotebookCode, value: FieldValue) -> FieldValue:
    if value.line is None:
        return value
    place = code.place(value.line)
    words = place.words if place is not None and value.origin == "stated" else None
    update = {"line": code.line(value.line), "source": value.source or words}
    return value.model_copy(update=update)


def _notice(code: NotebookCode, notice: Notice) -> Notice:
    if notice.line is None:
        return notice
    return notice.model_copy(update={"line": code.line(notice.line)})


def _named(code: NotebookCode, named: NamedFile) -> NamedFile:
    return named._replace(line=code.line(named.line) or 1)


def _with_cells(code: NotebookCode, reason: str) -> str:
    """`SFTTrainer (line 12)` as `SFTTrainer (cell 3, line 2)`."""
    parts = reason.split("(line ")
    for at, part in enumerate(parts[1:], 1):
        number, _, rest = part.partition(")")
        place = code.place(int(number)) if number.isdigit() else None
        parts[at] = f"({place.words if place else f'line {number}'}){rest}"
    return "".join(parts)


IPYNB_TRL = NotebookDialect("ipynb_trl", PY_TRL)
IPYNB_HF_TRAINER = NotebookDialect("ipynb_hf_trainer", PY_HF_TRAINER)
