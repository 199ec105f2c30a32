"""The answers of the tools: what a backend must know to decide, in about 2,000 characters."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.state import AFTER, AS_WRITTEN, PATCH, PATCHED, AuditState
from agent.telling import speed_text
from audit.records.finding import Effect
from audit.records.lead import Research
from audit.records.patch import Edit


def tell_workload(state: AuditState) -> str:
    """The stated fields with their lines, then the derived ones."""
    workload = state.workload
    if workload is None:
        return ""
    lines = [f"{AS_WRITTEN}: {workload.name}, {workload.format} ({workload.framework})"]
    for origin in ("stated", "derived", "assumed", "unknown"):
        shown = [
            f"{name}={json.dumps(found.value, default=str)[:80]}"
            + (f" (line {found.line})" if found.line else "")
            for name, found in workload.fields.items()
            if found.origin == origin
        ]
        if shown:
            lines.append(f"{origin}: {', '.join(shown)}")
    lines += [f"note: {notice.message}" for notice in workload.notices]
    return "\n".join(lines)


def tell_profile(state: AuditState) -> str:
    """Fit, breakdown and padding, with their provenance."""
    profile = state.profile
    if profile is None:
        return ""
    if profile.missing:
        return f"No profile: {profile.missing_reason} Not known: {', '.join(profile.missing)}."
    lines = [f"{AS_WRITTEN} on {profile.hardware}, {profile.provenance}"]
    if profile.step_s is not None:
        lines.append(f"step: {profile.step_s.value:.4g} s")
        lines += [f"  {part.name}: {part.value:.4g} s" for part in profile.breakdown]
    lines += [
        f"{name}: {fit.peak_gb:.1f} GB, {fit.share:.0%} of the card"
        for name, fit in profile.fit.items()
    ]
    if profile.padding_efficiency is not None:
        lines.append(f"real tokens: {profile.padding_efficiency:.0%}")
    return "\n".join(lines)


def tell_findings(state: AuditState) -> str:
    """One line per finding: id, severity, semantics, title, edits, effect."""
    findings = state.findings or ()
    if not findings:
        return f"Nothing to fix. {len(state.checked)} rules were checked."
    lines = []
    for finding in findings:
        edits = ", ".join(
            f"remove {edit.field}" if edit.remove else f"{edit.field}={json.dumps(edit.value)}"
            for edit in finding.edits
        )
        lines.append(
            f"{finding.id} [{finding.severity}, {finding.semantics}] {finding.title}: "
            f"{edits or 'advice only'}{_effect(finding.effect)}"
        )
    return "\n".join(lines)


def tell_facts(question: str) -> str:
    """What the knowledge base says to a question in words."""
    from kb.search import search

    hits = search(question[:400], 3)
    return "\n".join(f"{hit.id}: {hit.claim}" for hit in hits) or "Nothing is known about that."


def tell_patch(state: AuditState) -> str:
    """What was edited and what was not, and why."""
    patch = state.patch
    if patch is None:
        return ""
    if not state.edited:
        head = f"{PATCH} changes nothing; there is no {PATCHED} to benchmark."
    else:
        head = f"{PATCH} makes {PATCHED}:"
    return "\n".join([head, *_edit_lines(patch.edits)])


def tell_bench(state: AuditState, bench_id: str) -> str:
    """The figures of each arm with their provenance."""
    bench = state.bench(bench_id)
    if bench is None:
        return ""
    if not bench.arms:
        return f"{bench_id} has no figures: {state.not_run}"
    lines = [f"{bench_id} {arm.arm}: {speed_text(arm)}" for arm in bench.arms]
    if bench_id == AFTER and state.attribution is not None:
        lines.append(state.attribution.told)
    return "\n".join(lines)


def tell_comparison(state: AuditState) -> str:
    """The verdict with its interval."""
    comparison = state.comparison
    if comparison is None:
        return ""
    interval = comparison.speedup
    speed = (
        f" {interval.value:.3f}x ({interval.low:.3f} to {interval.high:.3f})" if interval else ""
    )
    return f"{comparison.verdict}{speed}. {comparison.reason}"


def tell_research(found: Research) -> str:
    """The leads, one per line, and how the research ended."""
    lines = [
        f"lead: {lead.change}. {lead.evidence} ({lead.source}, {lead.confidence})"
        for lead in found.leads
    ]
    return "\n".join([*lines, found.ended])


def _edit_lines(edits: tuple[Edit, ...]) -> Iterator[str]:
    for edit in edits:
        change = f"{edit.field}: {json.dumps(edit.before)} -> {json.dumps(edit.after)}"
        yield f"  {'applied' if edit.applied else 'not applied'} {change}" + (
            f" ({edit.reason})" if edit.reason else ""
        )


def _effect(effect: Effect) -> str:
    if effect.value is None:
        return ""
    return f"; {effect.metric} x{effect.value:.2f} ({effect.basis})"
