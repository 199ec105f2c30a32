"""`patch FILE...`: a unified diff that `git apply` takes, of stated edits or of the rules' own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.answers import Answer, outcome_answer, patch_answer
from agent.card import card_of
from agent.commands.files import STDIN, read_files
from agent.commands.options import (
    add_card,
    add_choice,
    add_reading,
    dialect_of,
    include_of,
    lengths_of,
    settings,
    versions_of,
    words,
)
from agent.commands.patch_jobs import run_jobs
from agent.commands.say import give, tell
from agent.commands.values import field_edits
from agent.request import DEFAULT_HARDWARE, AuditRequest, check_names, check_request
from audit.records.errors import InputError, UserError
from audit.records.finding import FieldEdit
from audit.records.patch import Patch
from audit.records.upload import Upload

if TYPE_CHECKING:
    from workload.patch import Edited


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `patch`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="files that belong together")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="set a field"
    )
    parser.add_argument("--unset", action="append", default=[], metavar="FIELD", help="remove it")
    parser.add_argument(
        "--rules", metavar="ID,...", default="", help="only these rules (default: all that fire)"
    )
    add_choice(parser)
    add_card(parser)
    add_reading(parser)
    parser.add_argument(
        "--jobs",
        metavar="JOBS.jsonl",
        help='lines of {"id", "file", "set": {FIELD: VALUE}} or {"id", "file", "unset": [FIELD]}',
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object: the diff, its edits, variables"
    )


def run(given: argparse.Namespace) -> int:
    """Print the diff; what could not be edited goes to standard error."""
    if given.jobs:
        return run_jobs(given.jobs, versions_of(given.versions))
    if not given.files:
        message = "there is no file to patch"
        raise InputError(message, remedy="Give the file, or --jobs JOBS.jsonl.")
    uploads = read_files(given.files)
    check_names(uploads)
    edits = field_edits(given.set, given.unset)
    if edits and given.rules:
        message = "--rules goes with neither --set nor --unset"
        raise UserError(message, remedy="Make two patches.")
    answer = _stated(uploads, edits, given) if edits else _ruled(uploads, given)
    give(json.dumps(answer, ensure_ascii=False) + "\n" if given.json else answer["diff"])
    return 0


def _edited(
    uploads: tuple[Upload, ...], edits: Sequence[FieldEdit], given: argparse.Namespace
) -> Edited:
    """The edits made, in a diff that names the files by their paths."""
    from workload.patch import edit_workload

    return edit_workload(
        uploads,
        edits,
        versions=versions_of(given.versions) or None,
        dialect=dialect_of(given),
        lengths=lengths_of(given.lengths),
        paths=_paths(given.files),
    )


def _stated(
    uploads: tuple[Upload, ...], edits: Sequence[FieldEdit], given: argparse.Namespace
) -> Answer:
    """The edits on the command line; all of them or none."""
    edited = _edited(uploads, edits, given)
    refused = [outcome for outcome in edited.outcomes if not outcome.applied]
    if refused:
        first = refused[0]
        reason = f"{first.edit.field} cannot be edited: {first.reason or 'not in this text'}"
        raise InputError(reason, file=first.file, line=first.line, remedy=first.advice)
    return outcome_answer(edited)


def _ruled(uploads: tuple[Upload, ...], given: argparse.Namespace) -> Answer:
    """The patch that an audit would propose, or that of some of its rules."""
    from agent.patching.quick import propose

    operator = settings()
    card = card_of(given.hardware, operator)
    request = AuditRequest(
        uploads=uploads,
        hardware=card.name,
        detected=card.detected,
        gpus=given.gpus,
        nodes=given.nodes,
        lengths=lengths_of(given.lengths),
        versions=versions_of(given.versions),
        dialect=dialect_of(given),
        include=include_of(given.include),
        keep=frozenset(words(given.keep)),
    )
    check_request(request)
    named = card.name or DEFAULT_HARDWARE
    origin = "detected" if card.detected else "stated" if card.name else "assumed"
    patch = propose(request, frozenset(words(given.rules)) or None)
    if not given.json:
        if origin != "stated":
            tell(f"made for {named} ({origin}; --hardware names another card)")
        _tell_rest(patch)
    made = [
        FieldEdit(field=edit.field, value=edit.after, remove=edit.remove)
        for edit in patch.edits
        if edit.applied and edit.file is not None
    ]
    diff = _edited(uploads, made, given).diff if made else ""
    return {**patch_answer(patch, diff), "hardware": named, "hardware_origin": origin}


def _tell_rest(patch: Patch) -> None:
    """What the diff does not hold: variables to export and edits left to the user."""
    lines = [f"export {name}={value}" for name, value in patch.env.items()]
    lines += [
        f"not applied: {edit.field} = {edit.after} ({edit.reason})"
        for edit in patch.edits
        if not edit.applied
    ]
    if not patch.edits:
        lines.append("nothing to change")
    for line in lines:
        tell(line)


def _paths(names: Sequence[str]) -> dict[str, str]:
    """File name -> its path where it lies below the working directory, as `git apply` wants it."""
    here, paths = Path.cwd().resolve(), {}
    for name in names:
        folder = Path(name).parent.resolve()
        if name != STDIN and folder != here and folder.is_relative_to(here):
            paths[Path(name).name] = (folder.relative_to(here) / Path(name).name).as_posix()
    return paths
