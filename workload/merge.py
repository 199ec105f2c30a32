"""Several uploads become one training file with what stands beside it: versions, a data sample.

A second training file is named in a notice, never mixed in: one workload is one training file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import DataLengths, FieldValue, Notice
from workload.detect import Found, detect_dialect
from workload.dialects import NamedFile
from workload.lengths import measure_lengths
from workload.source import SourceText, decode_upload
from workload.versions import environment_versions, requirement_versions

MAX_FILES = 12
COMPANIONS = frozenset({"deepspeed_json", "accelerate_yaml"})
"""Formats that go with a training file and name no model of their own."""
_REQUIREMENTS = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)$", re.IGNORECASE)


@dataclass
class Bundle:
    """The uploads of one workload, sorted by what they are."""

    main: SourceText
    found: Found
    formats: dict[str, str] = field(default_factory=dict)
    """File name -> format id, the main file included."""
    versions: dict[str, str] = field(default_factory=dict)
    lengths: DataLengths | None = None
    beside: dict[str, SourceText] = field(default_factory=dict)
    """Other files by name, read only where the training file names them."""
    unread: dict[str, str] = field(default_factory=dict)
    """Why a file beside is read by nobody, unless the training file names or inherits from it."""


def merge_uploads(uploads: Sequence[Upload], dialect: str | None = None) -> Bundle:
    """Sort the uploads of one workload.

    Args:
        uploads: the files, the training file among them.
        dialect: the user's own choice of dialect for the training file.

    Raises:
        InputError: no file, too many, one that cannot be read, or none that trains.
    """
    if not uploads or len(uploads) > MAX_FILES:
        reason = "no file was given" if not uploads else f"more than {MAX_FILES} files"
        raise InputError(reason, remedy="Upload the training file and what belongs to it")
    if len({upload.name for upload in uploads}) < len(uploads):
        reason = "two files have the same name"
        raise InputError(reason, remedy="Rename one of them")
    versions: dict[str, str] = {}
    lengths: DataLengths | None = None
    formats: dict[str, str] = {}
    rest: list[SourceText] = []
    for upload in uploads:
        if upload.name.lower().endswith(".jsonl"):
            lengths = measure_lengths(upload)
            formats[upload.name] = "data_jsonl"
            continue
        source = decode_upload(upload)
        stated = _versions_in(source)
        if stated is None:
            rest.append(source)
        else:
            versions |= stated
            formats[source.name] = "requirements" if source.name.endswith("t") else "env_json"
    bundle = _with_main(rest, dialect)
    bundle.versions, bundle.lengths = versions, lengths
    bundle.formats |= formats
    return bundle


def named_fields(
    bundle: Bundle, named: Sequence[NamedFile], inherited: Sequence[str]
) -> tuple[Mapping[str, FieldValue], list[Notice]]:
    """Fields of the uploaded files that the training file names; notices of absent and unread."""
    from workload.dialects.deepspeed_block import read_deepspeed_file

    fields: dict[str, FieldValue] = {}
    notices: list[Notice] = []
    used = set(inherited)
    for one in named:
        name = _base_name(one.path)
        source = bundle.beside.get(name)
        if source is None:
            message = f"{one.key} names {name[:80]}, which was not uploaded and is not read"
            notices.append(
                Notice(kind="missing_file", message=message, file=bundle.main.name, line=one.line)
            )
        else:
            fields |= read_deepspeed_file(source)
            bundle.formats[name] = "deepspeed_json"
            used.add(name)
    for name, reason in bundle.unread.items():
        if name not in used:
            notices.append(Notice(kind="note", message=f"{name}: {reason}", file=name))
    return fields, notices


def _base_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _versions_in(source: SourceText) -> dict[str, str] | None:
    if _REQUIREMENTS.search(source.name):
        return requirement_versions(source)
    if source.text.lstrip().startswith("{"):
        return environment_versions(source)
    return None


def _leads(pair: tuple[SourceText, Found]) -> tuple[bool, float]:
    """A training file before any that only goes with one, then by score."""
    found = pair[1]
    return found.dialect.format not in COMPANIONS, found.detection.score


def _with_main(sources: list[SourceText], dialect: str | None) -> Bundle:
    """The training file among the sources: the surest detection, the first among equals."""
    if not sources:
        reason = "no training file among the uploads"
        raise InputError(reason, remedy="Upload the config or script that you train with")
    failures: dict[str, InputError] = {}
    founds: list[tuple[SourceText, Found]] = []
    for source in sources:
        try:
            founds.append((source, detect_dialect(source, dialect)))
        except InputError as error:
            failures[source.name] = error
    if not founds:
        raise next(iter(failures.values()))
    parents = {_base_name(name) for _, one in founds for name in one.detection.builds_on}
    heads = [pair for pair in founds if pair[0].name not in parents] or founds
    main, found = max(heads, key=_leads)
    others = {source.name: source for source in sources if source is not main}
    bundle = Bundle(main.with_beside(others), found, {main.name: found.dialect.format})
    bundle.beside |= others
    for source in others.values():
        bundle.formats[source.name] = "unread"
        if source.name not in parents:
            failure = failures.get(source.name)
            own = f"a training file of its own; audited is {main.name}"
            bundle.unread[source.name] = failure.reason if failure else own
    return bundle
