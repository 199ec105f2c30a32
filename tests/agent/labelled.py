"""Labelled workloads: well-tuned files of ours, as they are and each with one known fault in it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.kb.faults import FAULTS
from tests.kb.injection import inject, read_files
from tests.kb.situations import upload
from workload.patch import edit_workload

TUNED = Path(__file__).parents[1] / "kb" / "tuned"


class Labelled(NamedTuple):
    """A file, the card it is for, and the rule that a good audit acts on, if anything is wrong."""

    name: str
    upload: Upload
    hardware: str
    gpus: int
    rule: str | None


def labelled_workloads() -> list[Labelled]:
    """Every fault in the first file that takes it, then the files without one."""
    files = read_files(TUNED)
    found: list[Labelled] = []
    for name, fault in FAULTS.items():
        for path, workload in (
            one for framework in fault.frameworks.split() for one in files.get(framework, [])
        ):
            given = upload(path)
            if inject(fault, (given,), workload) is None:
                continue
            edits = [FieldEdit(field=field, value=value) for field, value in fault.edits.items()]
            (faulty,) = edit_workload((given,), edits).uploads
            found.append(Labelled(name, faulty, fault.hardware, fault.gpus, fault.rule))
            break
    for rows in files.values():
        found += [Labelled(path.name, upload(path), "mi300x", 1, None) for path, _ in rows]
    return found
