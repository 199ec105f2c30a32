"""The events of one audit, made by hand for the tests of the live view."""

from __future__ import annotations

from typing import Any

from audit.records.events import TYPE_OF, Event, FinalReportData, StageData, StartedData
from tests.ui.page_reports import AUDIT_ID, report


def events(*records: Any) -> list[Event]:
    """Events of one audit, numbered from 1."""
    return [
        Event(
            type=TYPE_OF[type(record)],  # type: ignore[arg-type]
            data=record.model_dump(mode="json"),
            audit_id=AUDIT_ID,
            seq=place,
            at=f"2026-11-21T10:00:{place:02d}Z",
        )
        for place, record in enumerate(records, start=1)
    ]


STARTED = StartedData(
    workload_name="qlora.yml",
    files=("qlora.yml",),
    hardware="mi300x",
    hardware_origin="assumed",
    gpus=1,
    nodes=1,
    backend="rules",
    runner="fake",
)


def story(until: str = "end") -> list[Event]:
    """The events of a run, up to and including the start of the stage `until`."""
    told: list[Any] = [STARTED]
    made = {
        "parse": "axolotl YAML, 26 fields: 22 stated, 3 default, 1 derived",
        "profile": "8.0 B parameters, 42 M trained. Fits in 192 GB",
        "query": "12 rules applied, 5 fired",
        "patch": "3 edits on 5 lines, applies with git apply",
        "benchmark": "Projected twice, 3.01 s and 1.06 s per step",
        "compare": "2.8x faster (2.3 to 3.4), projected",
    }
    for stage, text in made.items():
        told.append(StageData(stage=stage, state="running"))  # type: ignore[arg-type]
        if stage == until:
            return events(*told)
        result = (
            {"findings": [found.model_dump(mode="json") for found in report().findings]}
            if stage == "query"
            else None
        )
        told.append(StageData(stage=stage, state="done", text=text, seconds=0.012, result=result))  # type: ignore[arg-type]
    told.append(FinalReportData(report=report()))
    return events(*told)
