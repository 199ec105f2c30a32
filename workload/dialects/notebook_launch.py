"""Launch lines in the cells of a notebook: read as a launcher, edited in the cell.

Alone they are a notebook whose `!torchrun ...` or `%%bash` starts a script that is not in it;
beside a file that a cell writes they are joined to it by `notebook_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.dialects import CannotEdit, Change, Detection, NamedFile, Reading
from workload.dialects.launch_options import edit_given, given_options
from workload.dialects.launch_run import LaunchRun, find_launch
from workload.dialects.launcher import LAUNCHER, LaunchReading, read_run
from workload.dialects.notebook_shell import NotebookShell, read_shell_of
from workload.source import GivenOption, SourceText
from workload.splice.shell import shell_word


@dataclass
class LaunchInCells(LaunchReading):
    """A launcher's reading, and where it stands in the notebook."""

    shell: NotebookShell | None = None
    own: Reading | None = None
    """The reading with the places of the shell text."""


def launch_in_cells(source: SourceText, name: str = "") -> LaunchRun | None:
    """The first launch line of a notebook that trains; with a name, that takes this file.

    Raises:
        InputError: no notebook that can be read.
    """
    return find_launch(source.parsed(read_shell_of).source, name)


def read_launch_in_cells(
    source: SourceText, run: LaunchRun, versions: Mapping[str, str]
) -> Reading:
    """The fields of a launch line, at their places in the notebook."""
    shell = source.parsed(read_shell_of)
    own = read_run(shell.source, run, versions)
    held: LaunchReading = own.tree
    tree = LaunchInCells(
        held.run, held.document, held.inner, held.world, held.from_config, shell, own
    )
    return replace(
        own,
        fields={name: _field(shell, value) for name, value in own.fields.items()},
        notices=tuple(_notice(shell, one) for one in own.notices),
        named_files=tuple(_named(shell, one) for one in own.named_files),
        tree=tree,
    )


def options_in_cells(reading: Reading, name: str) -> dict[str, GivenOption]:
    """What a launch line gives its script, at places in the notebook of this name."""
    held = reading.tree
    if not isinstance(held, LaunchInCells) or held.shell is None:
        return {}
    shell = held.shell

    def line_of(at: int) -> int:
        return shell.line(shell.source.line_of(at)) or 1

    return given_options(reading, name, line_of)


def change_launch_in_cells(
    edit: FieldEdit, reading: Reading, option: str = ""
) -> tuple[Change, ...]:
    """The changes of the JSON text that make an edit of a launch line.

    Args:
        edit: the edit.
        reading: the launch line.
        option: the option that gives the script the field; '' where the line itself means it.

    Raises:
        CannotEdit: with what to write by hand.
    """
    held = reading.tree
    if not isinstance(held, LaunchInCells) or held.shell is None or held.own is None:
        reason = "the launch line was not read"
        raise CannotEdit(reason, f"write {edit.field} by hand")
    shell = held.shell
    prefix = _prefix(edit, held)
    try:
        made: tuple[Change, ...]
        if option:
            made = edit_given(shell.source, held, option, edit)
        else:
            made = (prefix,) if prefix else LAUNCHER.changes(shell.source, edit, held.own)
        return tuple(shell.change(change) for change in made)
    except CannotEdit as error:
        raise CannotEdit(error.reason, error.advice, shell.line(error.line)) from None


def _prefix(edit: FieldEdit, held: LaunchInCells) -> Change | None:
    """`!NAME=value torchrun ...`: a `!` line has no line above it in the same shell."""
    name, at = edit.field.removeprefix("env:"), held.run.launch.command.start
    alone = held.shell is not None and held.shell.source.text[:at].endswith("( ")
    if not edit.field.startswith("env:") or edit.remove or name in held.world.variables:
        return None
    if not alone or not name.isidentifier():
        return None
    return Change(at, at, f"{name}={shell_word(str(edit.value))} ", f"env {edit.field}")


def _field(shell: NotebookShell, value: FieldValue) -> FieldValue:
    if value.file is None and value.line is None:
        return value
    update = {"file": shell.notebook.source.name, "line": shell.line(value.line)}
    return value.model_copy(update=update)


def _notice(shell: NotebookShell, notice: Notice) -> Notice:
    update = {"file": shell.notebook.source.name, "line": shell.line(notice.line)}
    return notice.model_copy(update=update)


def _named(shell: NotebookShell, one: NamedFile) -> NamedFile:
    return one._replace(line=shell.line(one.line) or 1)


@dataclass(frozen=True, slots=True)
class NotebookLauncherDialect:
    """Notebooks that launch a script which is not in them."""

    format: str = "sh_launcher"
    framework: str = "hf"

    def detect(self, source: SourceText) -> Detection:
        """Whether some command launches a training run. Raises InputError."""
        run = launch_in_cells(source)
        if run is None:
            return Detection(0.0, "no launch line of a training run")
        shell = source.parsed(read_shell_of)
        found = LAUNCHER.detect(shell.source)
        stretch = shell.stretch_of(run.launch.command.start)
        where = f" (cell {stretch.cell.number})" if stretch is not None else ""
        what = f"{run.launch.launcher} starts {run.launch.program[:60]}{where}"
        return replace(found, reason=what)

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of the first launch line that trains. Raises InputError."""
        run = launch_in_cells(source)
        if run is None:
            return LAUNCHER.read(source.parsed(read_shell_of).source, versions)  # says why not
        return read_launch_in_cells(source, run, versions)

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the JSON text that make `edit`. Raises CannotEdit."""
        return change_launch_in_cells(edit, reading)


IPYNB_LAUNCHER = NotebookLauncherDialect()
