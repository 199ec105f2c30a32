"""Puts the report together from the finished state; it computes no figure of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from agent.measuring.measured_notes import attribution_notices, measured_notices
from agent.services import Services
from agent.state import AFTER, BEFORE, AuditState
from agent.synthesis import Tier
from audit.records.base import Provenance, weakest
from audit.records.errors import GoblinError
from audit.records.finding import Finding, Source
from audit.records.metrics import Metrics
from audit.records.report import Believe, CompletedBy, HardwareUsed, Report

if TYPE_CHECKING:
    from audit.records.patch import Patch
    from audit.records.profile import Profile
    from audit.records.workload import Workload

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
VERSION = "0.1.0"
"""Of this program; a test holds it against pyproject.toml."""


@dataclass(frozen=True, slots=True)
class Made:
    """Who made the report, and in what time."""

    tier: Tier
    completed_by: CompletedBy
    seconds: float


def build_report(state: AuditState, services: Services, made: Made) -> Report:
    """The report of a finished audit.

    Raises:
        GoblinError: a stage is missing.
    """
    workload, profile, patch = _finished(state)
    if state.comparison is None:
        message = "the audit has not been compared"
        raise GoblinError(message)
    findings = state.findings or ()
    before, after = _arms(state)
    figures = [metrics.provenance for metrics in (before, after) if metrics is not None]
    return Report(
        workload_name=workload.name,
        tier=made.tier,
        completed_by=made.completed_by,
        provenance=_provenance(profile.provenance, figures),
        format=workload.format,
        framework=workload.framework,
        files=workload.files,
        hardware=_hardware(services),
        fields=workload.fields,
        lengths=workload.lengths,
        notices=(*workload.notices, *measured_notices(state), *attribution_notices(state)),
        starts_as_written=state.starts_as_written,
        findings=findings,
        patch=patch,
        profile=profile,
        before=before,
        after=after,
        comparison=state.comparison,
        checked=state.checked,
        sources=_sources(findings),
        versions={**workload.versions, **own_versions()},
        versions_origin=workload.versions_origin,
        believe=_believe(figures),
        seconds=made.seconds,
        leads=state.leads,
        attribution=state.attribution,
    )


def _finished(state: AuditState) -> tuple[Workload, Profile, Patch]:
    if state.workload is None or state.profile is None or state.patch is None:
        message = "the audit has not gone through every stage"
        raise GoblinError(message)
    return state.workload, state.profile, state.patch


def _arms(state: AuditState) -> tuple[Metrics | None, Metrics | None]:
    """Before and after are the two arms of one benchmark; before alone where nothing changed."""
    both = state.bench(AFTER)
    if both is not None:
        return both.arm("baseline"), both.arm("patched")
    alone = state.bench(BEFORE)
    return (alone.arm("baseline") if alone else None), None


def _provenance(profile: Provenance, figures: list[Provenance]) -> Provenance:
    """Of the figures before and after; the profile's where nothing was measured or projected.

    What fits and what each finding is expected to bring stay projections beside measured figures,
    and say so where they stand.
    """
    return weakest(*figures) if figures else profile


def _hardware(services: Services) -> HardwareUsed:
    hardware, request = services.hardware, services.request
    return HardwareUsed(
        id=hardware.id,
        name=hardware.name,
        memory_gb=hardware.memory_gb,
        gpus=request.gpus,
        nodes=request.nodes,
        origin=services.hardware_origin,
    )


def _sources(findings: Iterable[Finding]) -> tuple[Source, ...]:
    """Every source behind the findings once, in order of first use."""
    return tuple(
        {source.url: source for finding in findings for source in finding.sources}.values()
    )


@cache
def own_versions() -> dict[str, str]:
    """Of this program, its rules and its estimator: another one may find other things."""
    return {"goblin": VERSION, "kb": _kb_version(), "estimator": _estimator_version()}


def _estimator_version() -> str:
    """The digest of the fitted parameters: another one projects other figures."""
    from runner.estimator.coefficients import DATA

    return sha256((DATA / "parameters.json").read_bytes()).hexdigest()[:8]


def _kb_version() -> str:
    """The newest date among the sources of the rules, and how many rules there are."""
    from kb.rulebook import load_rules

    rules = load_rules()
    dates = [
        found
        for rule in rules
        for source in rule.sources_read
        for found in DATE.findall(source.as_of)
    ]
    return f"{max(dates, default='undated')} ({len(rules)} rules)"


def _believe(figures: list[Provenance]) -> Believe | None:
    """The estimator's own error, where one of the figures is its."""
    if "projected" not in figures:
        return None
    from runner.estimator.believe import believe

    return believe()
