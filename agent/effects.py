"""Gives a finding without a published figure one from the estimator: its edits alone.

`derived` effects only; a published figure stays as its source states it. The figures are projected
and say so, whichever runner the audit uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.plan import with_edits
from agent.services import Services
from audit.records.errors import MissingFacts, RunFailed
from audit.records.finding import SEVERITIES, Effect, Finding
from audit.records.metrics import Metrics
from audit.records.spec import Arm, Spec
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


def _filled(finding: Finding, baseline: Workload, services: Services) -> Finding:
    effect = finding.effect
    wanted = effect.basis == "derived" and effect.metric in ("speed", "memory")
    if not wanted or effect.value is not None or not finding.edits:
        return finding
    services.check_cancelled()
    return finding.model_copy(update={"effect": _derived(finding, baseline, services)})


def _derived(finding: Finding, baseline: Workload, services: Services) -> Effect:
    effect = finding.effect
    try:
        before, after = _arms(baseline, with_edits(baseline, finding.edits), services)
    except MissingFacts as missing:
        return _not_projected(effect, missing.reason)
    except RunFailed as failed:
        return _not_projected(effect, str(failed))
    failure = before.failure or after.failure
    if failure:
        return _not_projected(effect, failure)
    return (
        _memory(effect, before, after)
        if effect.metric == "memory"
        else _speed(effect, before, after)
    )


def _not_projected(effect: Effect, reason: str) -> Effect:
    """The effect without a figure, and why it has none."""
    text = f"{effect.text} Not projected: {reason.rstrip('.')}.".strip()
    return effect.model_copy(update={"text": text})


def _arms(before: Workload, after: Workload, services: Services) -> tuple[Metrics, Metrics]:
    """Both workloads projected under the conditions of the audit."""
    from runner.fake import FakeRunner

    request = services.request
    runner = FakeRunner()
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
    return first, second


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
