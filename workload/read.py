"""Uploads become a Workload: the door for everyone who reads a training file.

Nothing named in an upload is opened, nothing in it is run, and what leaves here is redacted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.log.redact import REMOVED, find_secrets
from audit.records.base import Json
from audit.records.upload import Upload
from audit.records.workload import DataLengths, FieldValue, Notice, SourceFile, Workload
from workload.archive import unpack_uploads
from workload.bundle import Bundle
from workload.companions import join_companions
from workload.derive import derive_fields
from workload.dialects import Reading
from workload.merge import merge_uploads
from workload.source import SourceText

MAX_NOTICES = 100
MASKED = ("value", "key", "written", "source")


@dataclass(frozen=True)
class ReadBundle:
    """The uploads as sorted, what each dialect read, and the Workload of all."""

    bundle: Bundle
    reading: Reading
    workload: Workload
    fields: Mapping[str, FieldValue]
    """The fields of all files together, secrets not yet taken out."""
    beside: Mapping[str, Reading]
    """The files beside the training file that were used, by name."""


def read_workload(
    uploads: Sequence[Upload],
    *,
    versions: Mapping[str, str] | None = None,
    lengths: DataLengths | None = None,
    dialect: str | None = None,
) -> Workload:
    """The workload that the uploads describe.

    Args:
        uploads: the training file, and beside it where there are: requirements.txt or env.json
            (versions), a sample of the data (lengths, number of examples), and what goes with it:
            an accelerate, DeepSpeed or FSDP config, an adapter config, a trainer state. A zip
            counts as the files in it.
        versions: package -> version, before those found in files.
        lengths: token lengths of the data, before those of a sample.
        dialect: a format id or framework name, where detection should not decide.

    Raises:
        InputError: naming file, line and remedy.
    """
    uploads = unpack_uploads(uploads)
    bundle = merge_uploads(uploads, dialect)
    return read_bundle(bundle, uploads, versions=versions, lengths=lengths).workload


def read_bundle(
    bundle: Bundle,
    uploads: Sequence[Upload],
    *,
    versions: Mapping[str, str] | None = None,
    lengths: DataLengths | None = None,
    reading: Reading | None = None,
) -> ReadBundle:
    """As `read_workload`, for uploads that are sorted already, and perhaps read already."""
    stated = {**bundle.versions, **(versions or {})}
    reading = reading or bundle.found.dialect.read(bundle.main, stated)
    joined = join_companions(bundle, reading, stated)
    fields = {**joined.fields, **derive_fields(joined.fields)}
    bundle.formats |= dict.fromkeys(reading.inherited, bundle.found.dialect.format)
    used = frozenset(reading.versions) & (frozenset(stated) | reading.stated_versions)
    mask = _Mask(bundle.main)
    notices = [*reading.notices, *joined.notices, *mask.notices()]
    sample = bundle.sample
    if sample is not None:
        counted = sample.count()
        fields |= {"num_examples": counted} if counted is not None else {}
        task = fields["task"].value if "task" in fields else None
        notices += sample.notices(task, bundle.main)
    if not used and reading.versions:
        notices.append(_assumed_versions(reading.versions))
    workload = Workload(
        name=bundle.main.name,
        format=bundle.found.dialect.format,
        format_score=bundle.found.detection.score,
        format_reason=bundle.found.detection.reason,
        framework=str(fields["framework"].value),
        files=tuple(_source_file(upload, bundle) for upload in uploads),
        fields={name: mask.field(value) for name, value in fields.items()},
        versions={**stated, **reading.versions},
        versions_origin="stated" if used else "assumed",
        lengths=lengths or (sample.lengths if sample else None),
        notices=tuple(mask.notice(one) for one in notices[:MAX_NOTICES]),
    )
    return ReadBundle(bundle, reading, workload, fields, joined.readings)


class _Mask:
    """Takes the secrets of the files out of everything that was read from them."""

    def __init__(self, source: SourceText) -> None:
        sources = [source, *source.beside.values()]
        self.found = [(one, secret) for one in sources for secret in find_secrets(one.text)]
        held = {one.text[secret.start : secret.end] for one, secret in self.found}
        self.texts = sorted(held, key=len)[::-1]

    def notices(self) -> list[Notice]:
        """One notice per line that holds a secret, without the secret."""
        lines = {(one.name, one.line_of(secret.start)): secret.kind for one, secret in self.found}
        return [
            Notice(
                kind="secret",
                message=f"{kind} at line {line}: revoke it and keep it out of files",
                file=file,
                line=line,
            )
            for (file, line), kind in lines.items()
        ]

    def field(self, value: FieldValue) -> FieldValue:
        """A field without secrets."""
        if not self.texts:
            return value
        texts = {name: self.text(getattr(value, name)) for name in MASKED}
        return value.model_copy(update=texts)

    def notice(self, notice: Notice) -> Notice:
        """A notice without secrets."""
        if not self.texts:
            return notice
        return notice.model_copy(update={"message": self.text(notice.message)})

    def text(self, value: Json) -> Json:
        """A value without secrets, inside lists and blocks as well."""
        if isinstance(value, str):
            for secret in self.texts:
                value = value.replace(secret, REMOVED)
            return value
        if isinstance(value, list):
            return [self.text(item) for item in value]
        if isinstance(value, dict):
            return {key: self.text(item) for key, item in value.items()}
        return value


def _source_file(upload: Upload, bundle: Bundle) -> SourceFile:
    return SourceFile(
        name=upload.name,
        format=bundle.formats.get(upload.name, "unread"),
        sha256=upload.digest,
        size=len(upload.data),
        lines=upload.data.count(b"\n") + (not upload.data.endswith(b"\n")),
    )


def _assumed_versions(versions: Mapping[str, str]) -> Notice:
    named = ", ".join(f"{package} {version}" for package, version in versions.items())
    message = f"no version is stated: defaults are those of {named}"
    return Notice(kind="assumed", message=message)
