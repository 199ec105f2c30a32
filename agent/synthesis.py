"""Finishes an audit that its backend did not: the rules do the stages that are missing.

The tier says how much of it that was. 0: compare_runs was reached. 1: both benchmarks and the patch
existed and were compared afterwards. 2: a missing benchmark was run afterwards, on the same runner.
3: the rules finished earlier stages.
"""

from __future__ import annotations

from typing import Literal

from agent.run import AuditRun
from agent.state import AFTER, BEFORE, AuditState
from audit.records.events import STAGES, LogData, StageName
from audit.records.report import CompletedBy

Tier = Literal[0, 1, 2, 3]


def tier_of(state: AuditState) -> Tier:
    """How far the backend came by itself."""
    if state.comparison is not None:
        return 0
    if state.patch is None:
        return 3
    return 2 if _missing_bench(state) else 1


def completed_by(backend: str, tier: Tier, state: AuditState) -> CompletedBy:
    """Who did the work; `state` is the one in which the backend stopped."""
    if backend == "rules" or state.workload is None:
        return "rules"
    return "model" if tier == 0 else "model+rules"


def who_did_what(backend: str, stopped: str, state: AuditState) -> str:
    """One sentence for the report of a model's audit; `state` is the one in which it stopped."""
    missing = dict.fromkeys(missing_stages(state))
    done = [name for name in STAGES if name not in missing]
    if not missing:
        return f"The backend {backend} decided every step; every figure is the tools' own."
    part = f"did {', '.join(done)}" if done else "finished no stage"
    why = f", because {stopped}" if stopped else ""
    return (
        f"The backend {backend} {part} and then stopped{why}. "
        f"The rules did the rest: {', '.join(missing)}."
    )


def finish(run: AuditRun) -> None:
    """Do every stage that is missing, in order, through the same stages as the tools."""
    missing = missing_stages(run.state)
    if not missing:
        return
    names = ", ".join(dict.fromkeys(missing))
    run.services.record(LogData(text=f"The rules finish the audit: {names}."))
    while True:
        missing = missing_stages(run.state)
        if not missing:
            return
        run.perform(missing[0])


def missing_stages(state: AuditState) -> list[StageName]:
    """The stages that are not done, in order."""
    stages: list[tuple[StageName, bool]] = [
        ("parse", state.workload is None),
        ("profile", state.profile is None),
        ("query", state.findings is None),
        ("patch", state.patch is None),
        ("benchmark", _missing_bench(state)),
        ("compare", state.comparison is None),
    ]
    return [name for name, absent in stages if absent]


def _missing_bench(state: AuditState) -> bool:
    return state.bench(BEFORE) is None or (
        (state.patch is None or state.edited) and state.bench(AFTER) is None
    )
