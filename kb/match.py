"""Asks every rule about one workload on one card: what fires is a finding, what passes a check.

Deterministic, and pure: it reads records and never estimates. A rule that does not apply, or whose
condition cannot be known, is neither a finding nor a check. A rule never fires where its own edit
would change nothing.
"""

from __future__ import annotations

from collections.abc import Container
from fnmatch import fnmatchcase
from typing import NamedTuple

from audit.records.base import Json
from audit.records.finding import (
    SEVERITIES,
    Check,
    Effect,
    Evidence,
    FieldEdit,
    Finding,
    Severity,
)
from audit.records.profile import Profile
from audit.records.workload import FieldValue, Workload
from kb.operations import UNKNOWN, show, truth
from kb.rule import Edited, Rule
from kb.rulebook import load_rules
from kb.situation import Card, Situation, situate

MAX_EVIDENCE = 120
"""Characters of the user's value that a finding shows."""


class Matches(NamedTuple):
    """The findings in report order, and the rules that applied and found nothing."""

    findings: tuple[Finding, ...]
    checked: tuple[Check, ...]


def match_rules(
    workload: Workload, profile: Profile, hardware: Card, only: Container[str] | None = None
) -> Matches:
    """What the rules find in `workload` on this card, as profiled.

    Args:
        workload: the file.
        profile: its profile on this card.
        hardware: the card.
        only: ids of the rules to ask; None: all.

    Raises:
        RuleError: a rule of the knowledge base is at fault (first call of a process only).
    """
    situation = situate(workload, profile, hardware)
    found: list[tuple[Rule, Finding]] = []
    checked: list[Check] = []
    for rule in load_rules():
        if only is not None and rule.id not in only:
            continue
        if not applies(rule, situation):
            continue
        answer = truth(rule.asked.when(situation))
        if answer is UNKNOWN:
            continue
        edits = plan_edits(rule, situation) if answer else ()
        if edits is None:
            continue
        if answer and (edits or _advises(rule, situation)):
            found.append((rule, _finding(rule, edits, situation)))
        else:
            checked.append(Check(rule_id=rule.id, title=rule.passed))
    found.sort(key=lambda pair: _weight(*pair))
    findings = tuple(
        finding.model_copy(update={"id": f"f_{number}"})
        for number, (_, finding) in enumerate(found, start=1)
    )
    return Matches(findings, tuple(checked))


def applies(rule: Rule, situation: Situation) -> bool:
    """Whether the rule speaks of this framework, card, size of job and these versions."""
    values = situation.values
    if situation.workload.framework not in rule.frameworks:
        return False
    if rule.vendors and values["hardware.vendor"] not in rule.vendors:
        return False
    if rule.archs and values["hardware.arch"] not in rule.archs:
        return False
    if rule.multi_gpu and values["gpus"] * values["nodes"] <= 1:
        return False
    return truth(rule.asked.applies(situation)) is True


def plan_edits(rule: Rule, situation: Situation) -> tuple[FieldEdit, ...] | None:
    """The edits that change something here; None where a new value cannot be known."""
    planned: list[FieldEdit] = []
    for edited in rule.told.edits:
        if not _is_meant(edited, situation):
            continue
        value = edited.formula(situation) if edited.formula else edited.plan.value
        if value is UNKNOWN:
            return None
        for field in _fields(edited.plan.field, situation):
            edit = FieldEdit(field=field, value=value, remove=edited.plan.remove)
            if _changes(edit, situation.workload):
                planned.append(edit)
    return tuple(planned)


def _advises(rule: Rule, situation: Situation) -> bool:
    """Whether there is advice to give where no edit is meant for this workload."""
    meant = any(_is_meant(edited, situation) for edited in rule.told.edits)
    return rule.advice is not None and not meant


def _is_meant(edited: Edited, situation: Situation) -> bool:
    frameworks = edited.plan.frameworks
    if frameworks and situation.workload.framework not in frameworks:
        return False
    return edited.when is None or truth(edited.when(situation)) is True


def _fields(pattern: str, situation: Situation) -> tuple[str, ...]:
    if "*" not in pattern:
        return (pattern,)
    names = (f"env:{name}" for name in situation.variables)
    return tuple(name for name in names if fnmatchcase(name, pattern))


def _changes(edit: FieldEdit, workload: Workload) -> bool:
    found = workload.fields.get(edit.field)
    if found is not None and edit.remove:
        return found.origin == "unknown" or (found.origin == "stated" and found.value is not None)
    if found is None or found.origin == "unknown":
        return not edit.remove
    same_type = isinstance(found.value, bool) == isinstance(edit.value, bool)
    return not (same_type and found.value == edit.value)


def _finding(rule: Rule, edits: tuple[FieldEdit, ...], situation: Situation) -> Finding:
    told = rule.told
    shown = _evidence_field(rule, edits, situation)
    return Finding(
        id="f_0",
        rule_id=rule.id,
        facts=rule.facts,
        severity=_severity(rule, situation),
        title=told.title.render(situation),
        why=told.why.render(situation),
        fields=tuple(dict.fromkeys([shown, *(edit.field for edit in edits)])),
        evidence=evidence(shown, situation.workload),
        effect=Effect(**rule.effect.model_dump()),
        semantics=rule.semantics,
        stops_run=truth(told.stops_run(situation)) is True,
        edits=edits,
        advice=told.advice.render(situation) if told.advice else None,
        caveats=rule.caveats,
        verify=rule.verify,
        sources=rule.sources_read,
    )


def _severity(rule: Rule, situation: Situation) -> Severity:
    for when, severity in rule.told.severities:
        if truth(when(situation)) is True:
            return severity
    return rule.severity


def _evidence_field(rule: Rule, edits: tuple[FieldEdit, ...], situation: Situation) -> str:
    """The field that shows the problem: one with a line in a file before one with a default."""
    patterns = rule.evidence or (
        *(name.replace("env.", "env:") for name in rule.asked.names),
        *(edit.field for edit in edits),
    )
    fields = situation.workload.fields
    names = [name for pattern in patterns for name in _fields(pattern, situation)]
    present = [name for name in names if name in fields]
    with_line = [name for name in present if fields[name].line is not None]
    return next(iter([*with_line, *present, *names, *patterns]))


def evidence(name: str, workload: Workload) -> Evidence:
    """The user's line that sets a field, or where its value comes from."""
    found = workload.fields.get(name)
    if found is None:
        return Evidence(file=None, line=None, text=f"{name} is not set")
    if found.origin in ("stated", "unknown"):
        return Evidence(file=found.file, line=found.line, text=_line(name, found))
    source = f" of {found.source}" if found.source and found.origin == "default" else ""
    text = f"{name} = {_value(found.value)} ({found.origin}{source})"
    return Evidence(file=None, line=None, text=text)


def _line(name: str, found: FieldValue) -> str:
    value = found.written if found.written is not None else _value(found.value)
    script = (found.file or "").endswith((".py", ".ipynb"))
    if script and found.written is None:
        value = repr(found.value)
    key = found.key or name
    if len(value) > MAX_EVIDENCE:
        value = value[: MAX_EVIDENCE - 3] + "..."
    return f"{key}={value}" if script else f"{key}: {value}"


def _value(value: Json) -> str:
    return show(value)


def _weight(rule: Rule, finding: Finding) -> tuple[int, bool, float, int, str]:
    effect = finding.effect.value if finding.effect.metric == "speed" else None
    return (
        SEVERITIES.index(finding.severity),
        not finding.stops_run,
        -(effect or 0.0),
        rule.order,
        rule.id,
    )
