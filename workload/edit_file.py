"""The edits of one file: planned by its dialect, spliced, read again, and compared.

The text must differ in exactly the fields asked for (and those that follow from them) and in no
other setting; an edit that cannot be made so is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.log.redact import find_secrets
from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue
from workload.derive import FOLLOWS
from workload.dialects import CannotEdit, Change, Dialect, Reading
from workload.diff import unified_diff
from workload.normalise import same
from workload.source import SourceText
from workload.splice.replace import apply_changes, line_changes, order_changes


@dataclass(frozen=True, slots=True)
class Step:
    """A text that was reached, and how it reads."""

    source: SourceText
    reading: Reading


@dataclass(frozen=True, slots=True)
class FileEdits:
    """What was made of one file."""

    step: Step
    diff: str
    failures: dict[int, CannotEdit]
    lines: dict[int, int]
    """Edit (by identity) -> first line of the original that it touches."""


def edit_file(
    dialect: Dialect,
    versions: Mapping[str, str],
    start: Step,
    edits: Sequence[FieldEdit],
    path: str | None = None,
) -> FileEdits:
    """The edits of one file, together where they can be; `path` as in `unified_diff`."""
    editor = _Editor(dialect, versions, start)
    step, changes, failures = editor.together(edits) or editor.one_by_one(edits)
    diff = unified_diff(start.source, step.source, changes, editor.secret_lines, path)
    return FileEdits(step, diff, failures, editor.lines)


_Made = tuple[Step, list[Change], dict[int, CannotEdit]]
"""The text reached, the changes of the original, and the edits (by identity) not made."""


class _Editor:
    """Plans changes, applies them and checks the result by reading it again."""

    def __init__(self, dialect: Dialect, versions: Mapping[str, str], start: Step) -> None:
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

    def plan(self, step: Step, edit: FieldEdit) -> tuple[Change, ...]:
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

    def apply(self, step: Step, ordered: Sequence[Change]) -> Step:
        """The text with the changes, read again."""
        if not ordered:
            return step
        source = apply_changes(step.source, ordered)
        try:
            return Step(source, self.dialect.read(source, self.versions))
        except InputError as error:
            reason = f"the file could not be read after the edit: {error.reason}"
            raise CannotEdit(reason, "Make the edit by hand", error.line) from None

    def check(
        self, before: Step, after: Step, edits: Sequence[FieldEdit], changes: Sequence[Change]
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
    for name in before.fields.keys() | after.fields.keys():
        one, other = before.fields.get(name), after.fields.get(name)
        if name in asked or (one is not None and other is not None and one.value == other.value):
            continue
        if all(found is None or _follows(found) for found in (one, other)):
            continue
        reason = f"the edit would change {name} as well"
        raise CannotEdit(reason, "Make the edit by hand")


def _follows(found: FieldValue) -> bool:
    """Whether a field may follow an edit of another: not where the file itself writes it."""
    own_default = found.origin == "default" and found.line is not None
    return found.origin in ("default", "derived", "assumed") and not own_default


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
