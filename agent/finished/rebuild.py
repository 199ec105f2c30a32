"""Builds the report of a kept audit again for another choice of edits: patch, figures, verdict.

It goes through the same stages as the audit, from the kept bytes; the choice stands in for the
backend's. The figures of a choice are the estimator's, whoever measured the patch as it was made.
Pure: no log, no clock, no disk. `agent.jobs` calls it for the owner of an audit, the page for a
sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.patching.plan import LeftOut
from agent.patching.propose import not_applied
from agent.report import Made, build_report, own_versions
from agent.request import AuditRequest
from agent.services import Services, make_services
from agent.stages import STAGE, propose
from agent.state import AuditState
from audit.records.errors import UserError
from audit.records.finding import Effect, Finding
from audit.records.patch import Why
from audit.records.report import Report
from audit.records.workload import Notice

if TYPE_CHECKING:
    from kb.choose import Choice

RULE_ID = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
MAX_RULES = 100
OFF = Why("unwanted", "You switched it off")
NOT_ON = Why("unwanted", "Left out until you switch it on")
NO_LONGER = Why("plan", "Does not apply with the edits that are on now")
PROJECTED = (
    "The edits were switched after the run: the figures of this choice are projected, those of "
    "the patch as it was made are measured."
)


@dataclass(frozen=True, slots=True)
class EditChoice:
    """What the owner switched, against the patch as the audit made it. Rules by their id."""

    off: frozenset[str] = frozenset()
    """Followed by the audit, and not wanted."""
    on: frozenset[str] = frozenset()
    """Left out by the audit, and wanted."""

    def __bool__(self) -> bool:
        """Whether anything was switched."""
        return bool(self.off or self.on)

    @classmethod
    def read(cls, off: object, on: object) -> EditChoice:
        """A choice from what an address or a browser says; what is no rule id is left out."""
        return cls(_rules_in(off), _rules_in(on))

    @classmethod
    def wanting(cls, report: Report, wanted: Iterable[str]) -> EditChoice:
        """The choice that wants exactly these rules followed.

        Args:
            report: the audit as it was made.
            wanted: rule ids; those that the report does not know count for nothing.
        """
        made = followed(report)
        known = frozenset(finding.rule_id for finding in report.findings if finding.edits)
        asked = frozenset(wanted) & known
        return cls(made - asked, asked - made)

    def wanted(self, report: Report) -> frozenset[str]:
        """The rules to follow, given the report as the audit made it."""
        return (followed(report) - self.off) | self.on


def _rules_in(text: object) -> frozenset[str]:
    parts = text.split(",") if isinstance(text, str) else []
    return frozenset(part for part in parts[:MAX_RULES] if RULE_ID.fullmatch(part))


def followed(report: Report) -> frozenset[str]:
    """The rules that the patch of a report follows."""
    return frozenset(rule for edit in report.patch.edits if edit.applied for rule in edit.rule_ids)


def rebuild(report: Report, request: AuditRequest, choice: EditChoice) -> Report:
    """The report as it would be had the patch been chosen so.

    Args:
        report: as the audit made it.
        request: what it was asked, with the kept bytes.
        choice: what is switched on and off.

    Raises:
        UserError: the audit was made by another version, or the bytes cannot be read.
    """
    if not choice:
        return report
    check_version(report)
    wanted = choice.wanted(report)
    services = _services(report, request, wanted)
    state = AuditState()
    for name in ("parse", "profile", "query"):
        state = STAGE[name](state, services)
    known = {finding.rule_id for finding in state.findings or ()}
    later = [finding for finding in report.findings if finding.rule_id not in known]
    grown = {finding.rule_id: finding.id for finding in later if finding.rule_id in wanted}
    state = STAGE["benchmark"](state, services)
    choices = _choices(state.findings or (), wanted, choice, services)
    state = _with_left_out(propose(state, services, choices, grown=grown), later, wanted)
    if state.edited:
        state = STAGE["benchmark"](state, services)
    state = STAGE["compare"](state, services)
    made = Made(tier=report.tier, completed_by=report.completed_by, seconds=report.seconds)
    built = build_report(state, services, made)
    told = {"notices": _notices(report, request), "hardware": report.hardware}
    return built.model_copy(update=told)


def check_version(report: Report) -> None:
    """Refuse a report of another version, whose rules and estimator may say other things."""
    now = own_versions()
    if any(report.versions.get(name) != version for name, version in now.items()):
        message = "this audit was made by another version of GPU Goblin"
        raise UserError(message, remedy="Run it again.")


def _services(report: Report, request: AuditRequest, wanted: frozenset[str]) -> Services:
    """Those of the audit, with whatever the owner switched on included, and nothing run."""
    asked = {finding.semantics for finding in report.findings if finding.rule_id in wanted}
    again = replace(
        request,
        include=request.include | asked,
        runner="fake",
        hardware=report.hardware.id,
    )
    return make_services(again)


def _choices(
    findings: Sequence[Finding], wanted: frozenset[str], choice: EditChoice, services: Services
) -> list[Choice]:
    """The wanted findings as far as they go together, then the others, each with its reason."""
    from kb.choose import NOT_INCLUDED, Choice, choose_findings

    request = services.request
    asked = [finding for finding in findings if finding.rule_id in wanted or not finding.edits]
    choices = list(choose_findings(asked, request.include, request.keep))
    for finding in findings:
        if finding not in asked:
            other = NOT_INCLUDED["dynamics"] if finding.semantics == "dynamics" else NOT_ON
            choices.append(Choice(finding, OFF if finding.rule_id in choice.off else other))
    return choices


def _with_left_out(
    state: AuditState, later: Sequence[Finding], wanted: frozenset[str]
) -> AuditState:
    """Findings that came up only while the audit patched stay listed when they are not followed."""
    told = {finding.rule_id for finding in state.findings or ()}
    if state.patch is None or state.workload is None:
        return state
    edits, findings = list(state.patch.edits), list(state.findings or ())
    for finding in later:
        if finding.rule_id in told:
            continue
        kept = finding.model_copy(update={"effect": _without_figure(finding.effect)})
        why = NO_LONGER if finding.rule_id in wanted else OFF
        findings.append(kept)
        edits += not_applied(state.workload, LeftOut(kept, why))
    patch = state.patch.model_copy(update={"edits": tuple(edits)})
    return state.moved(findings=tuple(findings), patch=patch)


def _without_figure(effect: Effect) -> Effect:
    """What it added on top of edits that are no longer all there is not told as a figure."""
    if effect.basis != "derived":
        return effect
    return effect.model_copy(update={"low": None, "value": None, "high": None, "scope": "alone"})


def _notices(report: Report, request: AuditRequest) -> tuple[Notice, ...]:
    if request.runner == "fake":
        return report.notices
    return (*report.notices, Notice(kind="note", message=PROJECTED, about="runs"))
