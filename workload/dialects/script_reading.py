"""From a training run of a script to its Reading: the frame around what each dialect fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue
from workload.dialects import CannotEdit, Reading
from workload.dialects.script_edits import Script
from workload.dialects.script_reader import ScriptReader
from workload.dialects.script_run import Run
from workload.dialects.script_versions import pinned_versions
from workload.source import SourceText
from workload.splice.python import PythonText
from workload.versions import choose_versions


def reading_of(
    run: Run,
    source: SourceText,
    versions: Mapping[str, str],
    *,
    framework: str,
    packages: Sequence[str],
    fill: Callable[[ScriptReader], None],
) -> Reading:
    """The reading of one run.

    Args:
        run: which run of the script.
        source: the script.
        versions: package -> version, before those that the script pins.
        framework: of the dialect.
        packages: whose defaults hold.
        fill: reads the fields of the run into the reader.
    """
    pinned = pinned_versions(source)
    chosen = {**pinned, **versions}
    used = choose_versions(packages, chosen)
    reader = ScriptReader(run, PythonText(source.text), source.name, {**chosen, **used})
    reader.fields["framework"] = FieldValue(value=framework, origin="stated", file=source.name)
    fill(reader)
    return Reading(
        fields=reader.fields,
        versions=used,
        notices=tuple(reader.notices),
        stated_versions=frozenset(pinned) & frozenset(used),
        tree=Script(run, reader.python, reader),
        entries=reader.entries,
        named_files=tuple(reader.named_files),
    )


def script_of(reading: Reading, edit: FieldEdit) -> Script:
    """The script behind a reading; raises CannotEdit where it is none."""
    script = reading.tree
    if not isinstance(script, Script):
        reason, advice = "the script was not read", f"write {edit.field} by hand"
        raise CannotEdit(reason, advice)
    return script
