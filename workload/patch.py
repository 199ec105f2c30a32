"""Edits of fields become a diff of the user's own files: the door for everyone who changes one.

Every edit is spliced into the text, the text is read again, and it must differ in exactly the
fields asked for (and those that follow from them); an edit that cannot be made so becomes advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from audit.log.redact import redact
from audit.records.base import Json
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import DataLengths, Workload
from workload.archive import unpack_uploads
from workload.dialects import CannotEdit
from workload.edit_file import FileEdits, Step, edit_file
from workload.edit_places import Places, place_edits
from workload.field_names import FieldNames
from workload.merge import merge_uploads, split_choice, start_script
from workload.read import ReadBundle, read_bundle


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one edit. Texts are redacted."""

    edit: FieldEdit
    applied: bool
    before: Json = None
    """The field's value before, as it was read."""
    file: str | None = None
    line: int | None = None
    """1-based line in the file before the patch."""
    reason: str | None = None
    """Why it is not applied."""
    advice: str | None = None
    """What to write by hand instead."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The patched uploads and what was done to them."""

    diff: str
    """Unified, for `git apply`; no line holding a secret is in it. '' where nothing changed."""
    uploads: tuple[Upload, ...]
    """All files, the training file with its new bytes: for the audit's owner alone."""
    outcomes: tuple[Outcome, ...]
    """One per edit, in the same order."""
    workload: Workload
    """The patched files read again."""


def edit_workload(
    uploads: Sequence[Upload],
    edits: Sequence[FieldEdit],
    *,
    versions: Mapping[str, str] | None = None,
    lengths: DataLengths | None = None,
    dialect: str | None = None,
    paths: Mapping[str, str] = MappingProxyType({}),
) -> Edited:
    """Make edits in the training file, and in the files beside it that state the same.

    Args:
        uploads: as for `read_workload`.
        edits: wanted values by field, or by the key of the file; made together where they can be.
        versions: package -> version, before those found in files.
        lengths: token lengths of the data, before those of a sample.
        dialect: a format id or framework name, where detection should not decide.
        paths: file name -> where `git apply` finds the file, where that is not under its name.

    Raises:
        InputError: the uploads cannot be read.
    """
    uploads = unpack_uploads(uploads)
    bundle = merge_uploads(uploads, dialect)
    read = read_bundle(bundle, uploads, versions=versions, lengths=lengths)
    stated = {**bundle.versions, **(versions or {})}
    failures: dict[int, CannotEdit] = {}
    edits = _named(read, edits, failures)
    places = place_edits(read, [edit for edit in edits if id(edit) not in failures])
    beside = _edit_beside(read, places, stated, failures, paths)
    possible = [edit for edit in places.main if id(edit) not in failures]
    start, path = Step(bundle.main, read.reading), paths.get(bundle.main.name)
    main = edit_file(bundle.found.dialect, stated, start, possible, path)
    failures |= main.failures
    if any(places.files(edit) and id(edit) in main.failures for edit in possible):
        beside = _edit_beside(read, places, stated, failures, paths)  # both files or none
    done = {bundle.main.name: main, **beside}
    outcomes = tuple(_outcome(edit, done, failures, read) for edit in edits)
    diff = "".join(one.diff for one in done.values())
    patched = tuple(
        done[upload.name].step.source.upload() if upload.name in done else upload
        for upload in uploads
    )
    found, source = bundle.found, main.step.source
    if split_choice(dialect)[0] is None:
        found = replace(found, detection=found.dialect.detect(source))
    others = {name: one.step.source for name, one in beside.items()}
    around = {**bundle.beside, **others}
    merged = replace(bundle, main=source.with_beside(around), found=found, beside=around)
    merged = start_script(merged)
    same = merged.main.options == bundle.main.options
    reading = main.step.reading if same else None
    again = read_bundle(merged, patched, versions=versions, lengths=lengths, reading=reading)
    return Edited(diff, patched, outcomes, again.workload)


def _named(
    read: ReadBundle, edits: Sequence[FieldEdit], failures: dict[int, CannotEdit]
) -> list[FieldEdit]:
    """The edits by their fields; one of an unknown name stays as it is, with its failure."""
    main = read.bundle.main.name
    names = FieldNames(main, read.bundle.found.dialect.format, read.fields)
    named = []
    for edit in edits:
        try:
            named.append(names.edit(edit))
        except CannotEdit as error:
            failures[id(edit)] = error
            named.append(edit)
    return named


def _edit_beside(
    read: ReadBundle,
    places: Places,
    versions: Mapping[str, str],
    failures: dict[int, CannotEdit],
    paths: Mapping[str, str],
) -> dict[str, FileEdits]:
    """The edits of the files beside, without those in `failures`, which gets the new ones."""
    done: dict[str, FileEdits] = {}
    for name, edits in places.beside.items():
        start = Step(read.bundle.beside[name], read.beside[name])
        dialect = read.bundle.companions[name].dialect
        possible = [edit for edit in edits if id(edit) not in failures]
        done[name] = edit_file(dialect, versions, start, possible, paths.get(name))
        failures |= done[name].failures
    return done


def _outcome(
    edit: FieldEdit,
    done: Mapping[str, FileEdits],
    failures: Mapping[int, CannotEdit],
    read: ReadBundle,
) -> Outcome:
    found = read.workload.fields.get(edit.field)
    before = None if found is None else found.value
    touched = {name: one.lines[id(edit)] for name, one in done.items() if id(edit) in one.lines}
    main = read.bundle.main.name
    file, line = next(iter(touched.items()), (main, None))
    if line is None and found is not None:
        file, line = found.file or main, found.line
    error = failures.get(id(edit))
    if error is not None:
        advice = redact(error.advice)
        line = error.line or line
        return Outcome(edit, False, before, file, line, redact(error.reason), advice)
    if not touched:
        return Outcome(edit, False, before, file, line, "the file says so already")
    return Outcome(edit, True, before, file, line)
