"""A notebook that trains with a file it writes itself: `%%writefile config.yaml`, a script, a JSON.

The cell that writes the file is read as that file, by the dialect of its content; every place and
every edit leads back into the cell. A command of the notebook that launches the file is joined to
it as a launcher beside a script would be, with the DeepSpeed or accelerate config of another cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.bundle import base_name
from workload.dialects import CannotEdit, Change, Detection, Dialect, NamedFile, Reading
from workload.dialects.launcher import LaunchReading
from workload.dialects.notebook_launch import (
    change_launch_in_cells,
    launch_in_cells,
    options_in_cells,
    read_launch_in_cells,
)
from workload.dialects.notebook_written import WrittenFile, written_files
from workload.launch_join import RANKS, counts_all, join_launcher
from workload.precedence import MATCHED, Joined, join_accelerate, join_deepspeed, whole_batch
from workload.source import SourceText

_JOINED = {"deepspeed_json": join_deepspeed, "accelerate_yaml": join_accelerate}


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of a cell, how it is read, and its reading with its own places."""

    file: WrittenFile
    dialect: Dialect
    reading: Reading

    def states(self, name: str) -> bool:
        """Whether it gives a field a value."""
        found = self.reading.fields.get(name)
        return found is not None and found.origin == "stated" and found.value not in (None, "auto")

    def field(self, value: FieldValue) -> FieldValue:
        """A field at its place in the notebook."""
        name = self.file.notebook.source.name
        if value.file == name or (value.file is None and value.line is None):
            return value  # from the launch line, or from nowhere
        update = {"file": name, "line": self.file.line(value.line)}
        return value.model_copy(update=update)

    def notices(self) -> list[Notice]:
        """What was noticed, at its place in the notebook."""
        name = self.file.notebook.source.name
        return [
            one.model_copy(update={"file": name, "line": self.file.line(one.line)})
            for one in self.reading.notices
        ]

    def changes(self, edit: FieldEdit) -> tuple[Change, ...]:
        """The changes of the JSON text that make an edit. Raises CannotEdit."""
        try:
            changes = self.dialect.changes(self.file.source, edit, self.reading)
        except CannotEdit as error:
            line = self.file.line(error.line)
            raise CannotEdit(error.reason, error.advice, line) from None
        return tuple(self.file.change(change) for change in changes)


@dataclass
class _Inner:
    """What the edits need."""

    main: _Part
    launch: Reading | None = None
    launched: frozenset[str] = frozenset()
    """Fields whose value the launch line gives."""
    configs: list[tuple[_Part, frozenset[str]]] = field(default_factory=list)
    """Configs of other cells, each with the fields whose value it gives."""


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
        found = launch_in_cells(source, self.name)
        launch = None if found is None else read_launch_in_cells(source, found, versions)
        if launch is not None and self.name.endswith(".py"):
            started = file.source.with_options(options_in_cells(launch, source.name))
            reading = self.inner.read(started, versions)
        main = _Part(file, self.inner, reading)
        held = _Inner(main, launch)
        run = Joined(self.name, dict(reading.fields))
        named = [one._replace(line=file.line(one.line) or 1) for one in reading.named_files]
        if held.launch is not None:
            join_launcher(run, held.launch, file.source)
            held.launched = _given(run, held.launch.fields)
            named += [*held.launch.named_files, *_launch_config(held.launch)]
        named = _join_configs(source, versions, run, held, named)
        if held.launch is not None and counts_all(held.launch):
            batch = whole_batch(run)
            run.fields |= {"effective_batch": batch} if batch is not None else {}
        own = _given(run, reading.fields)
        fields = {name: main.field(one) if name in own else one for name, one in run.fields.items()}
        return replace(
            reading,
            fields=fields,
            notices=(self._told(held), *main.notices(), *_beside(held), *run.notices),
            named_files=tuple(named),
            entries=_entries(held),
            tree=held,
        )

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the JSON text that make `edit`. Raises CannotEdit."""
        held: _Inner = reading.tree
        if held.launch is not None and _on_the_line(held, edit.field):
            return change_launch_in_cells(edit, held.launch, _option(held, edit.field))
        owner = next((part for part, given in held.configs if edit.field in given), held.main)
        changes = owner.changes(edit)
        for part, _ in held.configs:
            if part is not owner and edit.field in MATCHED and part.states(edit.field):
                changes += part.changes(edit)  # transformers refuses unlike numbers
        return changes

    def _file(self, source: SourceText) -> WrittenFile:
        for one in written_files(source):
            if one.name == self.name:
                return one
        reason = f"no cell writes {self.name}"
        raise InputError(reason, file=source.name, remedy="Upload the file itself")

    def _told(self, held: _Inner) -> Notice:
        """What was read and what it was joined with."""
        file = held.main.file
        joined = "no command of the notebook launches it"
        if isinstance(held.launch, Reading) and isinstance(held.launch.tree, LaunchReading):
            launch = held.launch.tree.run.launch
            joined = f"joined with the command that launches it by {launch.launcher}"
        joined += "".join(f", and {part.file.name}" for part, _ in held.configs)
        message = f"read is {self.name}, which cell {file.cell.number} writes; {joined}"
        name = file.notebook.source.name
        return Notice(kind="note", message=message, file=name, line=file.line(1))


def _given(run: Joined, fields: Mapping[str, FieldValue]) -> frozenset[str]:
    """The fields of the run that are just those of one of its files."""
    return frozenset(name for name, one in fields.items() if run.fields.get(name) is one)


def _launch_config(launch: Reading) -> list[NamedFile]:
    """The config that `accelerate launch --config_file` names."""
    held = launch.tree
    flag = held.run.launch.option("config_file") if isinstance(held, LaunchReading) else None
    if flag is None or not flag.values or flag.values[0].text is None:
        return []
    return [NamedFile(flag.values[0].text, "--config_file", launch.fields["framework"].line or 1)]


def _join_configs(
    source: SourceText,
    versions: Mapping[str, str],
    run: Joined,
    held: _Inner,
    named: list[NamedFile],
) -> list[NamedFile]:
    """Joins the configs that other cells write; gives the named files that none of them is."""
    from workload.detect import detect_dialect

    written = {one.name: one for one in written_files(source) if one.name != held.main.file.name}
    rest: list[NamedFile] = []
    for one in named:
        file = written.pop(base_name(one.path), None)
        part: _Part | None = None
        if file is not None:
            with suppress(InputError):
                dialect = detect_dialect(file.source).dialect
                part = _Part(file, dialect, dialect.read(file.source, versions))
        join = _JOINED.get(part.dialect.format) if part is not None else None
        if part is None or join is None:
            rest += [one] if one.key != "--config_file" else []
            continue
        fields = {name: part.field(value) for name, value in part.reading.fields.items()}
        join(run, replace(part.reading, fields=fields))
        held.configs.append((part, _given(run, fields)))
    return rest


def _beside(held: _Inner) -> list[Notice]:
    """What was noticed in the launch line and the configs."""
    found = list(held.launch.notices) if held.launch is not None else []
    found += [one for part, _ in held.configs for one in part.notices()]
    return [one for one in found if one.kind != "assumed"]


def _entries(held: _Inner) -> dict[str, object]:
    """Every setting of all parts: what an edit may not touch by accident."""
    found = dict(held.main.reading.entries)
    found |= held.launch.entries if held.launch is not None else {}
    for part, _ in held.configs:
        found |= part.reading.entries
    return found


def _option(held: _Inner, name: str) -> str:
    """The option of the launch line that gives the script a field; '' where none does."""
    found = held.main.reading.fields.get(name)
    given = found is not None and found.file == held.main.file.notebook.source.name
    return (found.key or "") if found is not None and given else ""


def _on_the_line(held: _Inner, name: str) -> bool:
    """Whether an edit belongs to the launch line: its values, ranks, and variables."""
    if any(name in given for _, given in held.configs):
        return False
    own = held.main.states(name)
    if _option(held, name):
        return True
    return name in held.launched or name in RANKS or (name.startswith("env:") and not own)
