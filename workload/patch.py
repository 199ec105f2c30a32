"""Edits of fields become a diff of the user's own file: the door for everyone who changes one.

Every edit is spliced into the text, the text is read again, and it must differ in exactly the
fields asked for (and those that follow from them); an edit that cannot be made so becomes advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audit.log.redact import find_secrets, redact
from audit.records.base import Json
from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import DataLengths, Workload
from workload.derive import FOLLOWS
from workload.dialects import CannotEdit, Change, Dialect, Reading
from workload.diff import unified_diff
from workload.merge import merge_uploads
from workload.normalise import same
from workload.read import ReadBundle, read_bundle
from workload.source import SourceText
from workload.splice.replace import apply_changes, line_changes, order_changes


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


@dataclass(frozen=True, slots=True)
class _Step:
    """A text that was reached, and how it reads."""

    source: SourceText
    reading: Reading


def edit_workload(
    uploads: Sequence[Upload],
    edits: Sequence[FieldEdit],
    *,
    versions: Mapping[str, str] | None = None,
    lengths: DataLengths | None = None,
    dialect: str | None = None,
) -> Edited:
    """Make edits in the training file among the uploads.

    Args:
        uploads: as for `read_workload`.
        edits: wanted values by field; made together where they can be.
        versions: package -> version, before those found in files.
        lengths: token lengths of the data, before those of a sample.
        dialect: a format id or framework name, where detection should not decide.

    Raises:
        InputError: the uploads cannot be read.
    """
    bundle = merge_uploads(uploads, dialect)
    read = read_bundle(bundle, uploads, versions=versions, lengths=lengths)
    stated = {**bundle.versions, **(versions or {})}
    editor = _Editor(bundle.found.dialect, stated, _Step(bundle.main, read.reading))
    made = editor.together(edits) or editor.one_by_one(edits)
    step, changes, failures = made
    outcomes = tuple(_outcome(edit, editor, failures, read) for edit in edits)
    diff = unified_diff(bundle.main, step.source, changes, editor.secret_lines)
    patched = tuple(
        step.source.upload() if upload.name == bundle.main.name else upload for upload in uploads
    )
    found = bundle.found
    if dialect is None:
        found = replace(found, detection=found.dialect.detect(step.source))
    merged = replace(bundle, main=step.source, found=found)
    again = read_bundle(merged, patched, versions=versions, lengths=lengths, reading=step.reading)
    return Edited(diff, patched, outcomes, again.workload)


_Made = tuple[_Step, list[Change], dict[int, CannotEdit]]
"""The text reached, the changes of the original, and the edits (by identity) not made."""


class _Editor:
    """Plans changes, applies them and checks the result by reading it again."""

    def __init__(self, dialect: Dialect, versions: Mapping[str, str], start: _Step) -> None:
        self.dialect = dialect
        self.versions = versions
        self.start = start
        self.secret_lines = secret_lines(start.source)
        self.lines: dict[int, int] = {}
        """Edit (by identity) -> first line of the original that it touches."""

    def together(self, edits: Sequence[FieldEdit]) -> _Made | None:
        """All edits at once; None where the result is not exactly what they ask for."""
        failures: dict[int, CannotEdit] = {}
        planned: list[FieldEdit] = []
        changes: list[Change] = []
        for edit in edits:
            try:
                own = self.plan(self.start, edit)
            except CannotEdit as error:
                failures[id(edit)] = error
            else:
                planned.append(edit)
                changes += own
        try:
            ordered = order_changes(changes)
            step = self.apply(self.start, ordered)
            self.check(self.start, step, planned, ordered)
        except CannotEdit:
            return None
        return step, ordered, failures

    def one_by_one(self, edits: Sequence[FieldEdit]) -> _Made:
        """Each edit on the text that the ones before it left; those that fail are left out."""
        failures: dict[int, CannotEdit] = {}
        step = self.start
        for edit in edits:
            try:
                ordered = order_changes(self.plan(step, edit))
                reached = self.apply(step, ordered)
                self.check(step, reached, [edit], ordered)
            except CannotEdit as error:
                failures[id(edit)] = error
            else:
                step = reached
        return step, line_changes(self.start.source, step.source), failures

    def plan(self, step: _Step, edit: FieldEdit) -> tuple[Change, ...]:
        """The changes of one edit; none of them touches a line that holds a secret."""
        changes = self.dialect.changes(step.source, edit, step.reading)
        hidden = self.secret_lines if step is self.start else secret_lines(step.source)
        for change in changes:
            touched = _lines_of(step.source, change)
            self.lines.setdefault(id(edit), touched.start)
            if any(line in hidden for line in touched):
                reason = "the line holds a secret, which no patch may show"
                advice = f"Set {edit.field} to {edit.value} at line {touched.start} by hand"
                raise CannotEdit(reason, advice, touched.start)
        return changes

    def apply(self, step: _Step, ordered: Sequence[Change]) -> _Step:
        """The text with the changes, read again."""
        if not ordered:
            return step
        source = apply_changes(step.source, ordered)
        try:
            return _Step(source, self.dialect.read(source, self.versions))
        except InputError as error:
            reason = f"the file could not be read after the edit: {error.reason}"
            raise CannotEdit(reason, "Make the edit by hand", error.line) from None

    def check(
        self, before: _Step, after: _Step, edits: Sequence[FieldEdit], changes: Sequence[Change]
    ) -> None:
        """Raises CannotEdit unless exactly the fields asked for differ."""
        for edit in edits:
            _check_reached(edit, after.reading)
        asked = {edit.field for edit in edits}
        follows = asked.union(*(FOLLOWS.get(name, frozenset()) for name in asked))
        _check_others(before.reading, after.reading, follows)
        _check_entries(before.reading, after.reading, {change.key for change in changes})


def secret_lines(source: SourceText) -> frozenset[int]:
    """1-based lines of a file that hold a secret."""
    found: set[int] = set()
    for secret in find_secrets(source.text):
        found.update(range(source.line_of(secret.start), source.line_of(secret.end - 1) + 1))
    return frozenset(found)


def _lines_of(source: SourceText, change: Change) -> range:
    """1-based lines whose characters a change replaces; none for a line that is added whole."""
    first = source.line_of(change.start)
    if change.end > change.start:
        return range(first, source.line_of(change.end - 1) + 1)
    own_line = (
        source.text[change.start - 1 : change.start] in ("\n", "") and change.text[-1:] == "\n"
    )
    return range(first, first) if own_line else range(first, first + 1)


def _check_reached(edit: FieldEdit, reading: Reading) -> None:
    found = reading.fields.get(edit.field)
    if edit.remove:
        if found is None or found.origin != "stated" or found.value is None:
            return
        reason = f"{edit.field} is still stated after the edit, by {found.key}"
        raise CannotEdit(reason, f"Remove {found.key} by hand", found.line)
    if (
        found is not None
        and found.origin != "unknown"
        and same(edit.field, found.value, edit.value)
    ):
        return
    shown = "nothing" if found is None else found.value
    reason = f"after the edit {edit.field} would read {shown}"
    raise CannotEdit(reason, f"Set {edit.field} to {edit.value} by hand")


def _check_others(before: Reading, after: Reading, asked: set[str]) -> None:
    soft = ("default", "derived", "assumed")
    for name in before.fields.keys() | after.fields.keys():
        one, other = before.fields.get(name), after.fields.get(name)
        if name in asked or (one is not None and other is not None and one.value == other.value):
            continue
        origins = {found.origin for found in (one, other) if found is not None}
        if origins.issubset(soft):
            continue
        reason = f"the edit would change {name} as well"
        raise CannotEdit(reason, "Make the edit by hand")


def _check_entries(before: Reading, after: Reading, keys: set[str]) -> None:
    """Nothing else in the file may differ, whether we know it as a field or not."""
    if not before.entries or not after.entries:
        return
    missing = object()
    for path in before.entries.keys() | after.entries.keys():
        one, other = before.entries.get(path, missing), after.entries.get(path, missing)
        covered = any(path == key or path.startswith((key + ".", key + "[")) for key in keys)
        parent = any(key.startswith(path + ".") for key in keys)
        if not covered and not parent and not _equal(one, other):
            reason = f"the edit would change {path} as well"
            raise CannotEdit(reason, "Make the edit by hand")


def _equal(one: object, other: object) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))


def _outcome(
    edit: FieldEdit, editor: _Editor, failures: Mapping[int, CannotEdit], read: ReadBundle
) -> Outcome:
    found = read.workload.fields.get(edit.field)
    before = None if found is None else found.value
    line = editor.lines.get(id(edit)) or (found.line if found is not None else None)
    error = failures.get(id(edit))
    file = read.bundle.main.name
    if error is not None:
        advice = redact(error.advice)
        return Outcome(edit, False, before, file, error.line or line, redact(error.reason), advice)
    if id(edit) not in editor.lines:
        return Outcome(edit, False, before, file, line, "the file says so already")
    return Outcome(edit, True, before, file, line)
