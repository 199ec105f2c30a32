"""The patch to the user's own text, edit by edit. The diff is redacted; the bytes are not kept."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from audit.records.base import Json, Record
from audit.records.finding import FieldEdit, Semantics

Cause = Literal[
    "advice", "kept", "not_included", "unwanted", "unwritable", "plan", "no_room", "measured"
]
"""Why an edit is left out: no edit makes it, the user keeps the field, its kind is not included,
who chooses did not want it, the text cannot take it, it does not go with the rest of the plan, the
memory does not suffice for all, it was dropped after measuring."""


class Why(NamedTuple):
    """Why a finding is not followed: for programs, and in words."""

    cause: Cause
    text: str


class Edit(Record):
    """One field changed, or not changed and why."""

    field: str
    before: Json
    after: Json
    remove: bool = False
    """The field is taken out of the file; `after` is None then."""
    semantics: Semantics
    rule_ids: tuple[str, ...]
    finding_ids: tuple[str, ...] = ()
    applied: bool
    file: str | None = None
    line: int | None = None
    """1-based line in the file before the patch."""
    reason: str | None = None
    """Why it is not applied: offered (dynamics), left out by the user, cannot be made in the text
    (then the exact line to write), would not fit."""
    cause: Cause | None = None
    """The same for programs; None where it is applied."""
    advice: str | None = None
    """What to write by hand where the edit could not be made."""

    @property
    def asked(self) -> FieldEdit:
        """What to change, as the text and a workload take it."""
        return FieldEdit(field=self.field, value=self.after, remove=self.remove)


class PatchStep(Record):
    """Where the run stands after one finding's edits, on top of those before it; projected."""

    finding_id: str
    rule_id: str
    title: str
    step_s: float
    """Seconds of one optimizer step."""
    peak_memory_gb: float
    """1e9 bytes per GPU."""


class PatchedFile(Record):
    """A file before and after, by digest."""

    name: str
    sha256_before: str
    sha256_after: str
    added: int
    removed: int
    """Lines."""


class Patch(Record):
    """All edits, the unified diff that `git apply` takes, and what to set outside the file."""

    edits: tuple[Edit, ...] = ()
    steps: tuple[PatchStep, ...] = ()
    """One per finding that the patch follows, in the order applied; another order splits the gain
    differently, the end is the same. Empty where nothing can be projected."""
    diff: str = ""
    files: tuple[PatchedFile, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    """Variables to export before the launch."""
    launch: str | None = None
    """The launch line for the patched file, where the framework has a usual one."""
