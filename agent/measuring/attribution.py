"""Which edits of a measured patch are to blame, or to thank: staged re-runs within a budget.

A patch that fails or is slower loses the edits that make it so: they are found by bisection, the
patch is planned and written again without them, and measured again as a whole. Of a patch that is
faster, each group of edits is told its share, and one that slows it down is dropped just so.
Projected patches have steps from the estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from agent.measuring.bench_runs import failed_bench, run_spec
from agent.measuring.guilty import find_guilty
from agent.measuring.shares import edit_shares, harmful, shares_told
from agent.measuring.staged import BAD, Staged, compare_bench, fails_by_its_edits
from agent.patching.edit_groups import EditGroup, edit_groups, shown
from agent.services import Services
from agent.state import AFTER, BEFORE, AuditState
from audit.records.attribution import Attribution, DroppedEdits, EditShare
from audit.records.base import Interval
from audit.records.comparison import Comparison
from audit.records.errors import MissingFacts, RunFailed
from audit.records.events import LogData
from audit.records.metrics import Bench
from audit.records.patch import Edit, Why
from audit.records.spec import Arm, Spec

if TYPE_CHECKING:
    from kb.choose import Choice

BLAME_SECONDS, SHARE_SECONDS = 240.0, 75.0
"""Wall time of the staged runs: a patch that does harm is worth more of it than shares are."""
Propose = Callable[..., AuditState]
"""`agent.stages.propose`: writes the patch that follows some choices."""


def attributed(state: AuditState, services: Services, propose: Propose) -> AuditState:
    """The state after the staged runs: guilty edits dropped, or shares told.

    Does nothing where nothing was measured, where the baseline has no figures, or where a run costs
    money: the owner approved two runs, not more.
    """
    bench = state.bench(AFTER)
    if bench is None or not _measured(state, bench) or services.runner.capabilities().billable:
        return state
    groups = edit_groups(state.patch) if state.patch else ()
    groups = shown(groups, bench.measured.translation.edits if bench.measured else None)
    verdict = compare_bench(bench, groups).verdict if groups else "not_comparable"
    if verdict == "slower" or (verdict == "failed" and fails_by_its_edits(bench)):
        return _without_guilty(state, services, propose)
    if verdict == "faster" and len(groups) > 1:
        return _with_shares(state, services, propose, groups, bench)
    return state


def _measured(state: AuditState, bench: Bench) -> bool:
    """Whether both arms are there, and the run before has figures that were measured.

    Where a patch takes the whole process down, its partner has none of that job: then those of the
    run before alone show that it is well.
    """
    before, after, alone = bench.arm("baseline"), bench.arm("patched"), state.bench(BEFORE)
    if before is None or after is None or before.provenance not in ("measured", "imported"):
        return False
    if before.tokens_per_s is not None:
        return True
    first = alone.arm("baseline") if alone else None
    return first is not None and first.tokens_per_s is not None and fails_by_its_edits(bench)


def _without_guilty(state: AuditState, services: Services, propose: Propose) -> AuditState:
    """Drop group after group until the rest of the patch is well, or the time is used up."""
    staged = _staged(state, services, BLAME_SECONDS)
    dropped: list[DroppedEdits] = []
    while True:
        bench = state.bench(AFTER)
        groups = edit_groups(state.patch) if state.patch else ()
        if bench is None or not groups:
            break
        candidates = shown(groups, bench.measured.translation.edits if bench.measured else None)
        whole = compare_bench(bench, groups)
        if whole.verdict not in BAD or not candidates:
            break
        if whole.verdict == "failed" and not fails_by_its_edits(bench):
            return _told(state, staged, dropped, unfound=whole)
        guilty = find_guilty(candidates, staged.is_bad)
        if guilty is None:
            return _told(state, staged, dropped, unfound=whole)
        dropped.append(_dropped(guilty, whole))
        services.record(LogData(text=dropped[-1].reason))
        state = _rewritten(state, services, propose, dropped)
        state = _again(state, services)
    return _told(state, staged, dropped)


def _dropped(guilty: EditGroup, whole: Comparison) -> DroppedEdits:
    verdict: Literal["failed", "slower"] = "failed" if whole.verdict == "failed" else "slower"
    why = f"fails ({whole.reason.rstrip('.')})" if verdict == "failed" else _slower(whole)
    reason = f"Dropped after measuring: the run with {guilty.name} {why}"
    return DroppedEdits(
        rule_ids=guilty.rule_ids, fields=guilty.fields, verdict=verdict, reason=reason
    )


def _slower(whole: Comparison) -> str:
    return f"is slower ({_times(whole.speedup)})" if whole.speedup else "is slower"


def _rewritten(
    state: AuditState, services: Services, propose: Propose, dropped: Sequence[DroppedEdits]
) -> AuditState:
    """The patch planned and written again without the dropped rules; what else it left out stays.

    Nothing that was not in the measured patch comes in.
    """
    old = state.patch.edits if state.patch else ()
    followed = {rule for edit in old if edit.applied for rule in edit.rule_ids}
    reasons = {rule: one.reason for one in dropped for rule in one.rule_ids}
    choices = _choices(state, services, followed - reasons.keys(), reasons)
    made = propose(state.moved(patch=None, patched=None), services, choices, grow=False)
    if made.patch is None:
        return made
    kept: dict[tuple[str, tuple[str, ...]], Edit] = {
        (edit.field, edit.rule_ids): edit for edit in old if not edit.applied
    }
    edits = tuple(kept.get((edit.field, edit.rule_ids), edit) for edit in made.patch.edits)
    return made.moved(patch=made.patch.model_copy(update={"edits": edits}))


def _choices(
    state: AuditState, services: Services, followed: set[str], reasons: dict[str, str]
) -> list[Choice]:
    from kb.choose import Choice, choose_findings

    findings = state.findings or ()
    asked = [finding for finding in findings if finding.rule_id in followed or not finding.edits]
    request = services.request
    choices = list(choose_findings(asked, request.include, request.keep))
    left_out = "Not in the patch that was measured"
    return choices + [
        Choice(finding, Why("measured", reasons.get(finding.rule_id, left_out)))
        for finding in findings
        if finding not in asked
    ]


def _again(state: AuditState, services: Services) -> AuditState:
    """The whole rest of the patch measured again, under the id of the one that it replaces."""
    before, old = state.bench(BEFORE), state.bench(AFTER)
    if old is None or before is None:
        return state
    if not state.edited or state.patched is None or state.patch is None:
        arms = tuple(arm for arm in old.arms if arm.arm == "baseline")
        return _replaced(state, old.model_copy(update={"arms": arms}))
    request = services.request
    baseline = state.baseline or state.workload or state.patched
    spec = Spec(
        arms=(
            Arm(name="baseline", workload=baseline, env=dict(state.baseline_env)),
            Arm(name="patched", workload=state.patched, env=state.patch.env),
        ),
        hardware=services.hardware.id,
        gpus=request.gpus,
        nodes=request.nodes,
        steps=request.steps,
    )
    try:
        bench = run_spec(spec, AFTER, services)
    except (RunFailed, MissingFacts) as failed:
        bench = failed_bench(spec, AFTER, str(failed), services)
    return _replaced(state, bench.model_copy(update={"spec": old.spec}))


def _replaced(state: AuditState, bench: Bench) -> AuditState:
    return state.moved(benches=tuple(bench if one.id == bench.id else one for one in state.benches))


def _staged(state: AuditState, services: Services, seconds: float) -> Staged:
    baseline = state.baseline or state.workload
    if baseline is None:
        message = "there is no baseline"
        raise RunFailed(message)
    return Staged(state, services, baseline, seconds)


def _told(
    state: AuditState,
    staged: Staged,
    dropped: Sequence[DroppedEdits],
    unfound: Comparison | None = None,
) -> AuditState:
    parts = [f"{one.reason}." for one in dropped]
    if unfound is not None:
        harm = "fail" if unfound.verdict == "failed" else "slower"
        why = (
            f", because a staged run says nothing of it ({staged.silent.rstrip('.')})"
            if staged.silent
            else f" within {staged.seconds:.0f} s of staged runs"
        )
        parts.append(
            f"Which edit makes the patch {harm} was not found{why}: the patch stands as measured."
        )
    elif not state.edited:
        parts.append("No edit is left in the patch.")
    else:
        parts.append("The patch was written and measured again without it.")
    return _attributed(state, staged, dropped=dropped, told=" ".join(parts))


def _attributed(
    state: AuditState,
    staged: Staged,
    *,
    told: str,
    shares: Sequence[EditShare] = (),
    dropped: Sequence[DroppedEdits] = (),
) -> AuditState:
    found = Attribution(
        provenance="measured",
        runs=tuple(staged.runs),
        shares=tuple(shares),
        dropped=tuple(dropped),
        told=told,
        seconds=round(staged.used, 3),
    )
    return state.moved(attribution=found)


def _with_shares(
    state: AuditState,
    services: Services,
    propose: Propose,
    groups: Sequence[EditGroup],
    bench: Bench,
) -> AuditState:
    """What each group adds on top of those before it: the patch grows group by group.

    A group that slows the run down is dropped, though the patch as a whole is faster.
    """
    staged = _staged(state, services, SHARE_SECONDS)
    whole = compare_bench(bench, groups).speedup
    steps: list[Interval] = []
    for count in range(1, len(groups)):
        found = staged.compare(groups[:count])
        if found is None or found.speedup is None:
            break
        steps.append(found.speedup)
    if whole is None or len(steps) < len(groups) - 1:
        why = f"The share of each edit was not measured: {staged.seconds:.0f} s did not suffice."
        return _attributed(state, staged, told=why)
    shares = edit_shares(groups, [*steps, whole])
    slowing = harmful(groups, shares)
    if not slowing:
        return _attributed(state, staged, shares=shares, told=shares_told(shares))
    dropped = [_dropped_by_share(group, share) for group, share in slowing]
    for one in dropped:
        services.record(LogData(text=one.reason))
    state = _again(_rewritten(state, services, propose, dropped), services)
    return _told(state, staged, dropped)


def _dropped_by_share(group: EditGroup, share: EditShare) -> DroppedEdits:
    reason = (
        f"Dropped after measuring: on top of the edits before it, {group.name} is slower "
        f"({_times(share.factor)})"
    )
    return DroppedEdits(
        rule_ids=group.rule_ids, fields=group.fields, verdict="slower", reason=reason
    )


def _times(speedup: Interval) -> str:
    return f"{speedup.value:.2f}x, {speedup.low:.2f} to {speedup.high:.2f}"
