"""What `parse`, `patch`, `search` and `estimate` answer as JSON: one form for every way in.

The command line, the REST and MCP tools print these; nobody else shapes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from audit.records.base import Json

if TYPE_CHECKING:
    from agent.patching.quick import Projected
    from audit.records.patch import Patch
    from audit.records.workload import Workload
    from kb.search import Hit
    from workload.patch import Edited

Answer = dict[str, Json]


def parse_answer(workload: Workload) -> Answer:
    """What a training file says, field by field, with origin, file and line."""
    return {
        "format": workload.format,
        "framework": workload.framework,
        "fields": {
            name: {
                "value": found.value,
                "origin": found.origin,
                "file": found.file,
                "line": found.line,
            }
            for name, found in workload.fields.items()
        },
        "warnings": [notice.model_dump(mode="json") for notice in workload.notices],
        "versions": workload.versions,
        "versions_origin": workload.versions_origin,
    }


def search_answer(hits: Sequence[Hit]) -> list[Answer]:
    """What the knowledge base knows, best first, with sources."""
    return [
        {
            "id": hit.id,
            "facts": list(hit.facts),
            "score": hit.score,
            "title": hit.title,
            "claim": hit.claim,
            "sources": [source.model_dump(mode="json") for source in hit.sources],
        }
        for hit in hits
    ]


def patch_answer(patch: Patch, diff: str) -> Answer:
    """A patch of the rules: its diff, every edit made or not and why, what to export beside it."""
    edits = [edit.model_dump(mode="json") for edit in patch.edits]
    return {"diff": diff, "edits": edits, "env": patch.env}


def outcome_answer(edited: Edited) -> Answer:
    """The same of edits that somebody asked for by field."""
    edits = [
        {
            "field": one.edit.field,
            "before": one.before,
            "after": one.edit.value,
            "remove": one.edit.remove,
            "applied": one.applied,
            "file": one.file,
            "line": one.line,
        }
        for one in edited.outcomes
    ]
    return {"diff": edited.diff, "edits": edits, "env": {}}


def estimate_answer(found: Projected, *, searched: bool = False) -> Answer:
    """Projected metrics with intervals, what was assumed, the largest that fits; the best one."""
    answer: Answer = found.metrics.model_dump(mode="json", exclude={"arm"})
    answer["hardware_origin"] = found.hardware.origin
    answer["assumptions"] = list(found.assumptions)
    answer["largest"] = found.largest._asdict() if found.largest else None
    if searched:
        best = found.best
        answer["best"] = {**best._asdict(), "speedup": best.speedup.model_dump()} if best else None
    return answer
