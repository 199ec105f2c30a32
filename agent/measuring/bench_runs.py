"""Runs one benchmark on the audit's runner, and holds the two arms of one against each other.

The stages and `agent.measuring.attribution` both come here, so a staged re-run is run, watched and
compared just as the benchmark that it explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.money.billing import PAIR
from agent.services import Services
from agent.state import AuditState
from agent.watch import TookTooLong
from audit.records.base import ArmName, Json
from audit.records.comparison import Comparison
from audit.records.errors import Cancelled, RunFailed
from audit.records.events import ProgressData
from audit.records.finding import Semantics
from audit.records.metrics import Bench, Metrics
from audit.records.patch import Edit, Patch
from audit.records.spec import Spec


def run_spec(spec: Spec, bench_id: str, services: Services) -> Bench:
    """Submit, tell what happens, collect; raises RunFailed where no arm gave figures."""
    runner = services.runner
    run_id = runner.submit(spec)
    try:
        for step in runner.events(run_id):
            services.check_cancelled()
            if step.text:
                services.record(
                    ProgressData(
                        stage="benchmark",
                        text=step.text,
                        done=step.done,
                        total=step.total,
                        point=step.point,
                    )
                )
    except (Cancelled, TookTooLong):
        runner.cancel(run_id)
        raise
    finally:
        services.approvals.ran(PAIR, runner.billed(run_id))
    return runner.collect(run_id, bench_id)


def empty_bench(spec: Spec, bench_id: str) -> Bench:
    """A benchmark that was not run: it has an id and no arm, so nothing can be read from it."""
    return Bench(id=bench_id, spec=spec.conditions, arms=())


def failed_bench(spec: Spec, bench_id: str, reason: str, services: Services) -> Bench:
    """A benchmark in which no arm gave figures, and why."""
    can = services.runner.capabilities()
    arms = tuple(
        Metrics(
            arm=arm.name,
            workload=arm.workload.fingerprint,
            runner=can.name,
            provenance=can.provenance,
            hardware=spec.hardware,
            gpus=spec.gpus,
            nodes=spec.nodes,
            steps=spec.steps,
            failure=reason,
        )
        for arm in spec.arms
    )
    return Bench(id=bench_id, spec=spec.conditions, arms=arms)


def compared_benches(state: AuditState, before: Bench, after: Bench | None) -> Comparison:
    """The verdict on the two arms of `after`, or why there is none."""
    from runner.compare import compare_arms

    ids = {"before_id": before.id, "after_id": (after or before).id}
    if state.not_run is not None:
        reason = f"There are no figures: {state.not_run.rstrip('.')}."
        return Comparison(**ids, verdict="not_comparable", reason=reason)
    if after is None or not state.edited:
        reason = "Nothing is changed, so there is nothing to compare."
        if state.attribution is not None and state.attribution.dropped:
            reason = state.attribution.told
        return Comparison(**ids, verdict="no_difference", reason=reason)
    if before.spec != after.spec:
        reason = "The two benchmarks ran under different conditions."
        return Comparison(**ids, verdict="not_comparable", reason=reason)
    first, second = _arm(after, "baseline"), _arm(after, "patched")
    alone = _arm(before, "baseline")
    if alone.workload != first.workload:
        reason = "The two benchmarks did not start from the same file."
        return Comparison(**ids, verdict="not_comparable", reason=reason)
    return compare_arms(
        first,
        second,
        before_id=before.id,
        after_id=after.id,
        measured=after.measured,
        semantics=weakest_semantics(state.patch, after),
    )


def weakest_semantics(patch: Patch | None, bench: Bench) -> Semantics:
    """The class of what a benchmark's edits may change: the weakest of those that ran."""
    return weakest_of([edit for edit in patch.edits if edit.applied] if patch else [], bench)


def weakest_of(edits: Sequence[Edit], bench: Bench) -> Semantics:
    """The weakest class of those of `edits` that a benchmark ran."""
    ran = bench.measured.translation.edits if bench.measured else None
    classes = {edit.semantics for edit in edits if _ran(edit.field, ran)}
    order: tuple[Semantics, ...] = ("dynamics", "numerics", "neutral")
    return next((name for name in order if name in classes), "neutral")


def _ran(field: str, ran: Mapping[str, Json] | None) -> bool:
    return ran is None or field in ran


def _arm(bench: Bench, name: ArmName) -> Metrics:
    found = bench.arm(name)
    if found is None:
        message = f"{bench.id} has no {name} arm"
        raise RunFailed(message)
    return found
