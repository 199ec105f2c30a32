"""Gives a finding without a published figure one from the estimator: alone, then in the patch.

`derived` effects only; a published figure stays as its source states it. The figures are projected
and say so, whichever runner the audit uses. Alone they order the findings; once the patch is
planned, each followed finding gets what it adds on top of those before it, so that what the page
shows multiplies to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from agent.patching.plan import with_edits
from agent.services import Services
from audit.records.errors import MissingFacts, RunFailed
from audit.records.finding import SEVERITIES, Effect, Finding
from audit.records.metrics import Metrics
from audit.records.patch import PatchStep
from audit.records.spec import Anchor, Arm, Spec
from audit.records.workload import Workload


def with_effects(
    findings: Sequence[Finding], baseline: Workload, services: Services
) -> tuple[Finding, ...]:
    """The findings in report order: by severity, then by gain; ids f_1, f_2, ... in that order."""
    filled = [_filled(finding, baseline, services) for finding in findings]
    filled.sort(key=_weight)
    return tuple(
        finding.model_copy(update={"id": f"f_{number}"})
        for number, finding in enumerate(filled, start=1)
    )


class InOrder(NamedTuple):
    """The followed findings with what each adds, and where the run stands after each."""

    findings: tuple[Finding, ...]
    steps: tuple[PatchStep, ...]


def in_order(baseline: Workload, followed: Sequence[Finding], services: Services) -> InOrder:
    """What each followed finding adds on top of those before it.

    Nothing changes where a workload on the way cannot be projected: the figures alone then stand.
    """
    findings: list[Finding] = []
    steps: list[PatchStep] = []
    workload = baseline
    for finding in followed:
        after = with_edits(workload, finding.edits)
        arms = _projected(workload, after, services)
        if isinstance(arms, str) or arms.after.step_s is None or not arms.after.peak_memory_gb:
            return InOrder(tuple(followed), ())
        workload = after
        if _is_derived(finding.effect):
            effect = _effect(finding.effect, arms, "in_patch")
            findings.append(finding.model_copy(update={"effect": effect}))
        else:
            findings.append(finding)
        steps.append(
            PatchStep(
                finding_id=finding.id,
                rule_id=finding.rule_id,
                title=finding.title,
                step_s=arms.after.step_s.value,
                peak_memory_gb=arms.after.peak_memory_gb.value,
            )
        )
    return InOrder(tuple(findings), tuple(steps))


def anchored_steps(
    steps: Sequence[PatchStep], anchor: Anchor | None, services: Services
) -> tuple[PatchStep, ...]:
    """The steps in the units of the arms: scaled to a stated step time where there is one."""
    if anchor is None:
        return tuple(steps)
    from runner.estimator.anchor import scale_of

    scale = scale_of(anchor, services.hardware, services.request.gpus, services.request.nodes)
    return tuple(step.model_copy(update={"step_s": step.step_s * scale.factor}) for step in steps)


class _Arms(NamedTuple):
    before: Metrics
    after: Metrics


def _is_derived(effect: Effect) -> bool:
    return effect.basis == "derived" and effect.metric in ("speed", "memory")


def _filled(finding: Finding, baseline: Workload, services: Services) -> Finding:
    effect = finding.effect
    if not _is_derived(effect) or effect.value is not None or not finding.edits:
        return finding
    services.check_cancelled()
    arms = _projected(baseline, with_edits(baseline, finding.edits), services)
    filled = (
        _not_projected(effect, arms) if isinstance(arms, str) else _effect(effect, arms, "alone")
    )
    return finding.model_copy(update={"effect": filled})


def _projected(before: Workload, after: Workload, services: Services) -> _Arms | str:
    """Both workloads projected, or the reason why one of them cannot be."""
    try:
        arms = _arms(before, after, services)
    except MissingFacts as missing:
        return missing.reason
    except RunFailed as failed:
        return str(failed)
    return arms.before.failure or arms.after.failure or arms


def _effect(effect: Effect, arms: _Arms, scope: Literal["alone", "in_patch"]) -> Effect:
    fill = _memory if effect.metric == "memory" else _speed
    return fill(effect, arms.before, arms.after).model_copy(update={"scope": scope})


def _not_projected(effect: Effect, reason: str) -> Effect:
    """The effect without a figure, and why it has none."""
    text = f"{effect.text} Not projected: {reason.rstrip('.')}.".strip()
    return effect.model_copy(update={"text": text})


def _arms(before: Workload, after: Workload, services: Services) -> _Arms:
    """Both workloads projected under the conditions of the audit."""
    from runner.fake import FakeRunner

    request = services.request
    runner = FakeRunner(services.hardware)
    run = runner.submit(
        Spec(
            arms=(Arm(name="baseline", workload=before), Arm(name="patched", workload=after)),
            hardware=services.hardware.id,
            gpus=request.gpus,
            nodes=request.nodes,
            steps=request.steps,
        )
    )
    bench = runner.collect(run, "bench_1")
    first, second = bench.arm("baseline"), bench.arm("patched")
    if first is None or second is None:
        message = "the estimator gave no figures"
        raise RunFailed(message)
    return _Arms(first, second)


def _speed(effect: Effect, before: Metrics, after: Metrics) -> Effect:
    from runner.compare import compare_arms

    compared = compare_arms(before, after, before_id="bench_1", after_id="bench_2")
    if compared.speedup is None:
        return _not_projected(effect, compared.reason)
    return effect.model_copy(update=compared.speedup.model_dump())


def _memory(effect: Effect, before: Metrics, after: Metrics) -> Effect:
    if before.peak_memory_gb is None or after.peak_memory_gb is None:
        return _not_projected(effect, "the memory is not known")
    return effect.model_copy(
        update={"value": after.peak_memory_gb.value / before.peak_memory_gb.value}
    )


def _weight(finding: Finding) -> tuple[int, bool, float]:
    return SEVERITIES.index(finding.severity), not finding.stops_run, -_gain(finding.effect)


def _gain(effect: Effect) -> float:
    """For sorting only: the projected or published speed ratio, or the memory freed."""
    if effect.value is None:
        return 0.0
    if effect.metric == "speed":
        return effect.value
    return 1.0 - effect.value if effect.metric == "memory" else 0.0
