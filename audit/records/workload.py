"""A training file as we understood it: normalised fields, each with the place it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Literal

from audit.records.base import Json, Record

Origin = Literal["stated", "default", "derived", "assumed", "unknown"]
"""stated: the file says it. default: of a named framework version. derived: computed from other
fields. assumed: our choice, shown as such. unknown: the file says something that cannot be known
without running it."""

NoticeKind = Literal[
    "assumed", "deprecated", "unknown_key", "conflict", "missing_file", "refused", "secret", "note"
]


class FieldValue(Record):
    """One normalised field of a workload."""

    value: Json
    origin: Origin
    file: str | None = None
    line: int | None = None
    """1-based line of the value in `file`; None unless origin is stated, or the file
    says something there from which the value is derived, assumed or left unknown."""
    key: str | None = None
    """The user's own spelling: a dotted key, or `SFTConfig.max_length` in a script."""
    written: str | None = None
    """The value as the user wrote it where that reads differently (`true` for the value
    flash_attention_2 of `flash_attention: true`), redacted; None: it reads like `value`."""
    source: str | None = None
    """default: `transformers 5.23.0`; derived: the formula; assumed: the reason."""


class SourceFile(Record):
    """One uploaded file; the bytes stay outside the log."""

    name: str
    format: str
    """Format id: axolotl_yaml, llamafactory_yaml, py_trl, py_hf_trainer, ..."""
    sha256: str
    size: int
    """Bytes."""
    lines: int


class Notice(Record):
    """Something about a file that its owner should know and that is no finding of a rule."""

    kind: NoticeKind
    message: str
    file: str | None = None
    line: int | None = None
    about: Literal["file", "runs", "audit"] = "file"
    """How the file was read, how the two runs were measured, or who decided the audit's steps."""


class DataLengths(Record):
    """Token lengths of the training samples before truncation and packing."""

    p50: int
    p95: int
    max: int
    origin: Literal["stated", "assumed"]
    source: str
    """Where it came from: `--lengths`, a data sample's name, or the reason for the assumption."""


class Workload(Record):
    """A training file (or several that belong together), normalised and redacted."""

    name: str
    """File name of the main file."""
    format: str
    format_score: float = 1.0
    """How sure the detection is, 0 to 1."""
    format_reason: str = ""
    framework: str
    files: tuple[SourceFile, ...]
    fields: dict[str, FieldValue]
    versions: dict[str, str]
    """Package -> version whose defaults were used (transformers, trl, peft, axolotl, ...)."""
    versions_origin: Literal["stated", "assumed"] = "assumed"
    lengths: DataLengths | None = None
    notices: tuple[Notice, ...] = ()

    def value(self, name: str, default: Json = None) -> Json:
        """The value of a field, or `default` where it is absent, unknown or null."""
        found = self.fields.get(name)
        if found is None or found.origin == "unknown" or found.value is None:
            return default
        return found.value

    def known(self, name: str) -> bool:
        """Whether the field has a value that was read, defaulted, derived or assumed."""
        found = self.fields.get(name)
        return found is not None and found.origin != "unknown"

    def with_values(self, values: Mapping[str, Json]) -> Workload:
        """The same workload with other field values: what a patch is planned on.

        The places of the fields stay; None removes a field's value. The real patched workload is
        always the re-read text, never this one.
        """
        fields = dict(self.fields)
        for name, value in values.items():
            old = fields.get(name)
            fields[name] = (
                old.model_copy(update={"value": value, "origin": "stated"})
                if old
                else FieldValue(value=value, origin="stated")
            )
        return self.model_copy(update={"fields": fields})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what will be trained: field values, lengths and versions, not their places."""
        what = {
            "fields": {name: field.value for name, field in sorted(self.fields.items())},
            "lengths": self.lengths.model_dump(exclude={"source"}) if self.lengths else None,
            "versions": self.versions,
            "framework": self.framework,
        }
        return sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
