"""`patch --jobs`: many edits of many files, one answer line per job, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from agent.commands.files import read_file
from agent.commands.options import fault
from agent.commands.say import give
from audit.records.base import Json
from audit.records.errors import GoblinError, InputError
from audit.records.finding import FieldEdit


def run_jobs(name: str, versions: Mapping[str, str]) -> int:
    """Answer every job of the file with `diff` or `refused`; one bad job costs one job."""
    for job in _jobs(name):
        line = {"id": job.get("id"), "file": job.get("file"), **_answer(job, versions)}
        give(json.dumps(line, ensure_ascii=False) + "\n")
    return 0


def _jobs(name: str) -> Iterator[dict[str, Json]]:
    upload = read_file(name)
    for number, text in enumerate(upload.data.decode("utf-8", "replace").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            job = json.loads(text)
        except ValueError:
            job = None
        if not isinstance(job, dict):
            message = "this line is no JSON object"
            raise InputError(message, file=upload.name, line=number)
        yield job


def _answer(job: Mapping[str, Json], versions: Mapping[str, str]) -> dict[str, Json]:
    from audit.log.redact import redact
    from workload.patch import edit_workload

    try:
        edited = edit_workload(
            [read_file(str(job.get("file")))], _edits(job), versions=versions or None
        )
    except GoblinError as error:
        return {"refused": redact(str(error))}
    except Exception as error:  # a bug: it costs this job, not those behind it
        return {"refused": fault(str(job.get("id")), error)}
    refused = [outcome for outcome in edited.outcomes if not outcome.applied]
    if refused:
        return {"refused": redact(refused[0].reason or "this text cannot be edited so")}
    return {"diff": edited.diff}


def _edits(job: Mapping[str, Json]) -> list[FieldEdit]:
    """The edits of a job; raises InputError where it asks for nothing."""
    wanted, unwanted = job.get("set") or {}, job.get("unset") or []
    if not isinstance(wanted, dict) or not isinstance(unwanted, list):
        message = '"set" is an object and "unset" a list'
        raise InputError(message)
    edits = [FieldEdit(field=str(field), value=value) for field, value in wanted.items()]
    edits += [FieldEdit(field=str(field), remove=True) for field in unwanted]
    if not edits:
        message = "the job asks for no edit"
        raise InputError(message, remedy='Give "set" or "unset".')
    return edits
