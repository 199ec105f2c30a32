"""`parse FILE...`: what a training file says, field by field, with origin, file and line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from agent.answers import parse_answer
from agent.commands.files import read_file, read_files
from agent.commands.options import add_reading, dialect_of, fault, lengths_of, versions_of
from agent.commands.say import give, say
from audit.records.base import Json
from audit.records.errors import GoblinError
from audit.records.workload import DataLengths, FieldValue, Workload

ORIGINS = ("stated", "derived", "assumed", "unknown", "default")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `parse`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="files that belong together")
    add_reading(parser)
    parser.add_argument("--each", action="store_true", help="one JSON line per file, each alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(given: argparse.Namespace) -> int:
    """Print what was read."""
    from workload.read import read_workload

    versions, lengths = versions_of(given.versions), lengths_of(given.lengths)
    if given.each:
        for name in given.files:
            line = {"file": name, **_alone(name, versions, lengths, dialect_of(given))}
            give(json.dumps(line, ensure_ascii=False) + "\n")
        return 0
    workload = read_workload(
        read_files(given.files),
        versions=versions or None,
        lengths=lengths,
        dialect=dialect_of(given),
    )
    if given.json:
        give(json.dumps(parse_answer(workload), ensure_ascii=False) + "\n")
    else:
        say(_as_text(workload))
    return 0


def _alone(
    name: str, versions: Mapping[str, str], lengths: DataLengths | None, dialect: str | None
) -> dict[str, Json]:
    """One file's answer; an error of the file is an answer too."""
    from audit.log.redact import redact
    from workload.read import read_workload

    try:
        upload = read_file(name)
        workload = read_workload(
            [upload], versions=versions or None, lengths=lengths, dialect=dialect
        )
        return parse_answer(workload)
    except GoblinError as error:
        return {"error": {"message": redact(str(error))}}
    except Exception as error:  # a bug: it costs this file, not those behind it
        return {"error": {"message": fault(name, error)}}


def _as_text(workload: Workload) -> str:
    lines = [f"{workload.name}: {workload.format} ({workload.framework})"]
    width = max((len(name) for name in workload.fields), default=0)
    for origin in ORIGINS:
        shown = {name: found for name, found in workload.fields.items() if found.origin == origin}
        if shown:
            lines += ["", origin]
            lines += [
                f"  {name.ljust(width)}  {_value(found)}{_place(found)}"
                for name, found in shown.items()
            ]
    if workload.notices:
        lines += ["", "notices"]
        lines += [f"  {notice.message}" for notice in workload.notices]
    return "\n".join(lines) + "\n"


def _value(found: FieldValue) -> str:
    return json.dumps(found.value, ensure_ascii=False)


def _place(found: FieldValue) -> str:
    if found.line is not None:
        return f"   {found.file}, line {found.line}"
    return f"   {found.source}" if found.source else ""
