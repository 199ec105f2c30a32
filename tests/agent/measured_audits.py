"""Audits that measure for real on this machine, with what a knowledge base might say beside ours.

A suggestion is a finding as a rule makes it; the runs that prove or refute it are real.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from agent.request import AuditRequest
from agent.services import Services, make_services
from agent.stages import STAGE
from agent.state import AFTER, AuditState
from audit.records.base import Json, Record
from audit.records.events import STAGES, LogData
from audit.records.finding import Effect, Evidence, FieldEdit, Finding, Semantics
from audit.records.profile import Profile
from audit.records.upload import Upload
from audit.records.workload import DataLengths, Workload
from kb.match import Matches
from runner.local import LocalRunner


@dataclass(frozen=True, slots=True)
class Advised(Services):
    """Services whose knowledge base says some things more."""

    extra: tuple[Finding, ...] = ()

    def match(
        self, workload: Workload, profile: Profile, only: Container[str] | None = None
    ) -> Matches:
        """Our rules, then the suggestions that still change something."""
        found = super(Advised, self).match(workload, profile, only)
        more = tuple(
            one
            for one in self.extra
            if (only is None or one.rule_id in only)
            and any(workload.value(edit.field) != edit.value for edit in one.edits)
        )
        return found._replace(findings=(*found.findings, *more))


def suggestion(name: str, semantics: Semantics, **edits: Json) -> Finding:
    """`name` asks for some values of fields."""
    return Finding(
        id=f"f_{name}",
        rule_id=f"suggested.{name}",
        facts=(),
        severity="medium",
        title=f"Suggested: {name}",
        why="Somebody read that it helps.",
        fields=tuple(edits),
        evidence=Evidence(file=None, line=None, text=""),
        effect=Effect(metric="speed", basis="none"),
        semantics=semantics,
        edits=tuple(FieldEdit(field=field, value=value) for field, value in edits.items()),
        sources=(),
    )


def python_with(folder: Path, variable: str) -> str:
    """A Python like this one on a box where `variable` (`NAME=value`) is set for everybody."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\n{variable} exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return str(script)


@dataclass
class Measured:
    """An audit that ran."""

    state: AuditState
    services: Services
    said: list[str] = field(default_factory=list)

    def applied(self) -> set[str]:
        """Fields that the patch changes."""
        assert self.state.patch is not None
        return {edit.field for edit in self.state.patch.edits if edit.applied}


def measured_audit(
    text: str, extra: Sequence[Finding], *, python: str = sys.executable, steps: int = 12
) -> Measured:
    """All stages on a LocalRunner of its own; nothing of it is left afterwards."""
    said: list[str] = []

    def record(event: Record) -> None:
        if isinstance(event, LogData):
            said.append(event.text)

    request = AuditRequest(
        uploads=(Upload(name="train.yml", data=text.encode()),),
        hardware="cpu",
        steps=steps,
        lengths=DataLengths(p50=30, p95=60, max=64, origin="stated", source="test"),
    )
    plain = make_services(request, record, lambda: False)
    runner = LocalRunner(python=python)
    try:
        given = {one.name: getattr(plain, one.name) for one in fields(plain)}
        given |= {"runner": runner, "hardware": runner.card()}
        services = Advised(**given, extra=tuple(extra))
        state = AuditState()
        for name in STAGES:
            state = STAGE[name](state, services)
            if name == "benchmark" and state.bench(AFTER) is None and state.edited:
                state = STAGE[name](state, services)
    finally:
        runner.close()
    return Measured(state, services, said)
