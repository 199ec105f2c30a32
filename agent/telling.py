"""What a stage found, in one plain sentence and as JSON, for the timeline and the log."""

from __future__ import annotations

from agent.state import AFTER, BEFORE, AuditState
from audit.records.base import Json
from audit.records.events import StageName, StageState
from audit.records.finding import SEVERITIES, Finding
from audit.records.metrics import Metrics


def stage_text(name: StageName, state: AuditState) -> tuple[str, StageState]:
    """The sentence, and whether the stage is done, skipped, failed or goes on."""
    return _TEXT[name](state)


def stage_result(name: StageName, state: AuditState) -> Json:
    """The record that the stage made."""
    if name == "query":
        return {
            "findings": [finding.model_dump(mode="json") for finding in state.findings or ()],
            "checked": [check.model_dump(mode="json") for check in state.checked],
        }
    record = {
        "parse": state.workload,
        "profile": state.profile,
        "patch": state.patch,
        "benchmark": state.benches[-1] if state.benches else None,
        "compare": state.comparison,
    }[name]
    return record.model_dump(mode="json") if record is not None else None


def count_severities(findings: tuple[Finding, ...]) -> str:
    """`1 critical, 2 medium`."""
    counts = [(sum(f.severity == severity for f in findings), severity) for severity in SEVERITIES]
    return ", ".join(f"{count} {severity}" for count, severity in counts if count)


def speed_text(metrics: Metrics | None) -> str:
    """`12,300 tokens/s per GPU (projected)`, or why there is none."""
    if metrics is None:
        return "no figures"
    if metrics.failure:
        return metrics.failure
    if metrics.tokens_per_s_per_gpu is None:
        return "no speed"
    return f"{metrics.tokens_per_s_per_gpu.value:,.0f} tokens/s per GPU ({metrics.provenance})"


def _parse(state: AuditState) -> tuple[str, StageState]:
    workload = state.workload
    if workload is None:
        return "", "failed"
    stated = sum(found.origin == "stated" for found in workload.fields.values())
    default = sum(found.origin == "default" for found in workload.fields.values())
    text = f"{workload.format}: {stated} fields stated, {default} from defaults"
    model = workload.value("model_id")
    return (f"{text}, {model}." if isinstance(model, str) else f"{text}."), "done"


def _profile(state: AuditState) -> tuple[str, StageState]:
    profile = state.profile
    if profile is None or profile.missing:
        reason = profile.missing_reason if profile else None
        return reason or "Not enough is known to project a step.", "skipped"
    fit = profile.fit.get("as_written")
    parts = []
    if profile.step_s is not None:
        parts.append(f"{profile.step_s.value:.3g} s per step")
    if fit is not None:
        parts.append(f"{fit.peak_gb:.0f} GB at the peak, {fit.share:.0%} of the card at most")
    if profile.padding_efficiency is not None:
        parts.append(f"{profile.padding_efficiency:.0%} of the tokens are real")
    return f"{', '.join(parts)} ({profile.provenance}).", "done"


def _query(state: AuditState) -> tuple[str, StageState]:
    findings, checked = state.findings or (), len(state.checked)
    if not findings:
        return f"Nothing to fix; {checked} rules checked.", "done"
    noun = "finding" if len(findings) == 1 else "findings"
    return (
        f"{len(findings)} {noun}: {count_severities(findings)}; {checked} more rules checked.",
        "done",
    )


def _patch(state: AuditState) -> tuple[str, StageState]:
    edits = state.patch.edits if state.patch else ()
    applied = sum(edit.applied for edit in edits)
    if not edits:
        return "Nothing to change.", "done"
    others = len(edits) - applied
    left = f", {others} left to you" if others else ""
    return f"{applied} {'edit' if applied == 1 else 'edits'}{left}.", "done"


def _benchmark(state: AuditState) -> tuple[str, StageState]:
    if state.not_run is not None:
        return f"Not run: {state.not_run}", "skipped"
    after = state.bench(AFTER)
    if after is not None:
        before_text = speed_text(after.arm("baseline"))
        failed = any(arm.failure for arm in after.arms)
        text = f"Before {before_text}, after {speed_text(after.arm('patched'))}."
        return text, "failed" if failed else "done"
    before = state.bench(BEFORE)
    text = f"Before: {speed_text(before.arm('baseline') if before else None)}."
    over = state.patch is not None and not state.edited
    return text, "done" if over else "running"


def _compare(state: AuditState) -> tuple[str, StageState]:
    comparison = state.comparison
    if comparison is None:
        return "", "failed"
    if comparison.speedup is None:
        return comparison.reason, "done"
    speedup = comparison.speedup
    return (
        f"{comparison.verdict.replace('_', ' ')}: {speedup.value:.2f}x "
        f"({speedup.low:.2f} to {speedup.high:.2f}, {comparison.provenance}).",
        "done",
    )


_TEXT = {
    "parse": _parse,
    "profile": _profile,
    "query": _query,
    "patch": _patch,
    "benchmark": _benchmark,
    "compare": _compare,
}
