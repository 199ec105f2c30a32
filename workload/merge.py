"""Uploads are sorted: the training file, what goes with it, versions, a sample of the data.

A second training file is named in a notice, never mixed in: one workload is one training file. What
the files that go with it change is for `companions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from audit.records.errors import InputError
from audit.records.upload import Upload
from workload.bundle import LEADERS, Bundle, base_name
from workload.data_rows import is_sample
from workload.data_sample import DataSample, measure_sample
from workload.detect import Found, detect_dialect
from workload.dialects import DIALECTS
from workload.source import MAX_FILES, SourceText, decode_upload
from workload.versions import environment_versions, requirement_versions

_REQUIREMENTS = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)$", re.IGNORECASE)


def merge_uploads(uploads: Sequence[Upload], dialect: str | None = None) -> Bundle:
    """Sort the uploads of one workload.

    Args:
        uploads: the files, the training file among them.
        dialect: the user's own choice of dialect for the training file, and behind a # the number
            of the training run where a script has several: `py_trl`, `py_trl#2`, `#2`.

    Raises:
        InputError: no file, too many, one that cannot be read, or none that trains.
    """
    if not uploads or len(uploads) > MAX_FILES:
        many = f"{len(uploads)} files are too many for one run, at most {MAX_FILES} are read"
        reason = many if uploads else "no file was given"
        raise InputError(reason, remedy="Upload the training file and what belongs to it")
    if len({upload.name for upload in uploads}) < len(uploads):
        reason = "two files have the same name"
        raise InputError(reason, remedy="Rename one of them")
    versions: dict[str, str] = {}
    samples: list[DataSample] = []
    unread: dict[str, str] = {}
    formats: dict[str, str] = {}
    rest: list[SourceText] = []
    for upload in uploads:
        if is_sample(upload):
            _measure(upload, samples, unread)
            formats[upload.name] = "data_sample"
            continue
        source = decode_upload(upload)
        stated = _versions_in(source)
        if stated is None:
            rest.append(source)
        else:
            versions |= stated
            formats[source.name] = "requirements" if source.name.endswith("t") else "env_json"
    if samples and not rest:
        reason = "this is a sample of data, and no training file is beside it"
        remedy = "Upload the config or script that you train with, too"
        raise InputError(reason, file=samples[0].name, remedy=remedy)
    named, number = split_choice(dialect)
    if number:
        rest = [source.with_trainer(number) for source in rest]
    bundle = _with_main(rest, named)
    if number and DIALECTS[bundle.found.dialect.format].kind in ("yaml", "json"):
        reason = f"training run {number} was asked for, and a config is one run"
        raise InputError(reason, file=bundle.main.name, remedy="Leave --trainer out")
    bundle.versions = versions
    if samples:
        bundle.sample = max(samples, key=lambda sample: sample.rows)
        others = [one.name for one in samples if one is not bundle.sample]
        unread |= dict.fromkeys(others, f"a smaller sample of data than {bundle.sample.name}")
    bundle.formats |= formats
    bundle.unread |= unread
    return start_script(bundle)


def start_script(bundle: Bundle) -> Bundle:
    """The bundle with its script started by the options of the one launcher beside it."""
    lines = [name for name, one in bundle.companions.items() if one.dialect.format == "sh_launcher"]
    if not bundle.main.name.endswith(".py") or len(lines) != 1:
        return bundle
    from workload.dialects.launch_options import given_options  # reads shell scripts
    from workload.launch_join import launches

    source = bundle.beside[lines[0]]
    with suppress(InputError):
        reading = bundle.companions[lines[0]].dialect.read(source, bundle.versions)
        if launches(reading, bundle.main.name):
            options = given_options(reading, source.name, source.line_of)
            bundle.main = bundle.main.with_options(options)
    return bundle


def split_choice(dialect: str | None) -> tuple[str | None, int]:
    """`py_trl#2` as the format and the number of the training run; `#2` alone keeps the detection.

    Raises:
        InputError: what stands behind the # is no number from 1 on.
    """
    name, mark, number = (dialect or "").partition("#")
    if mark and not (number.isascii() and number.isdigit() and 0 < int(number[:4]) < 1000):
        reason = f"{number or 'nothing'} is no number of a training run"
        raise InputError(reason, remedy="Give the number that the list of training runs shows")
    return name or None, int(number[:4]) if mark else 0


def _measure(upload: Upload, samples: list[DataSample], unread: dict[str, str]) -> None:
    """Add a sample; an array that holds no data, or an unreadable table, is told of as unread."""
    try:
        samples.append(measure_sample(upload))
    except InputError as error:
        if upload.name.lower().endswith(".jsonl"):
            raise
        unread[upload.name] = error.reason


def _versions_in(source: SourceText) -> dict[str, str] | None:
    if _REQUIREMENTS.search(source.name):
        return requirement_versions(source)
    if source.text.lstrip().startswith("{") and '"versions"' in source.text:
        return environment_versions(source)
    return None


def _leads(pair: tuple[SourceText, Found]) -> tuple[int, float]:
    """A training file before any that only goes with one, then by score."""
    found = pair[1]
    place = LEADERS.index(found.dialect.format) if found.dialect.format in LEADERS else -1
    return -place, found.detection.score


def _companions(sources: Iterable[SourceText]) -> dict[str, Found]:
    """The files that go with a training file, by name."""
    found: dict[str, Found] = {}
    for source in sources:
        with suppress(InputError):
            one = detect_dialect(source)
            if one.dialect.format in LEADERS:
                found[source.name] = one
    return found


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
    parents = {base_name(name) for _, one in founds for name in one.detection.builds_on}
    heads = [pair for pair in founds if pair[0].name not in parents] or founds
    main, found = max(heads, key=_leads)
    others = {source.name: source for source in sources if source is not main}
    bundle = Bundle(main.with_beside(others), found, {main.name: found.dialect.format})
    bundle.beside |= others
    bundle.companions = _companions(others.values())
    for source in others.values():
        bundle.formats[source.name] = "unread"
        if source.name not in parents and source.name not in bundle.companions:
            failure = failures.get(source.name)
            own = f"a training file of its own; audited is {main.name}"
            bundle.unread[source.name] = failure.reason if failure else own
    return bundle
