"""The six stages of an audit, each a function (state, services) -> state that fills in its result.

parse, profile, query, patch, benchmark (called twice: before alone, then both arms), compare. They
know no backend: the tools call them when a backend asks, `agent.synthesis` when it stopped early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.measuring.attribution import attributed
from agent.measuring.bench_runs import compared_benches, empty_bench, failed_bench, run_spec
from agent.money.billing import on_terms, settle_pair
from agent.patching.effects import anchored_steps, in_order, with_effects
from agent.patching.propose import in_text, outside_text, propose_edits, write_edits
from agent.services import Services
from agent.state import AFTER, BEFORE, AuditState
from audit.records.errors import MissingFacts, ModelMistake, RunFailed
from audit.records.events import StageName
from audit.records.finding import FieldEdit, Finding
from audit.records.metrics import Bench
from audit.records.patch import Why
from audit.records.spec import Arm, Spec
from audit.records.workload import Workload

if TYPE_CHECKING:
    from agent.request import AuditRequest
    from kb.choose import Choice

Stage = Callable[[AuditState, Services], AuditState]


def parse(state: AuditState, services: Services) -> AuditState:
    """Read the uploads; raises InputError where they cannot be read."""
    from workload.read import read_workload

    request = services.request
    workload = read_workload(
        request.uploads,
        versions=request.versions or None,
        lengths=request.lengths,
        dialect=request.dialect,
    )
    return state.moved(workload=workload)


def profile(state: AuditState, services: Services) -> AuditState:
    """Whether it fits and where the time of a step goes."""
    workload = _read(state)
    found = services.anchoring(workload)
    profiled = services.profile(workload, found.anchor)
    if found.told:
        told = (*profiled.assumptions, found.told)
        profiled = profiled.model_copy(update={"assumptions": told})
    return state.moved(profile=profiled)


def query(state: AuditState, services: Services) -> AuditState:
    """What fires, what it would bring, and what the run "before" has to be."""
    workload = _read(state)
    if state.profile is None:
        message = "profile the workload before asking the knowledge base"
        raise ModelMistake(message)
    matches = services.match(workload, state.profile)
    state = with_baseline(state, workload, matches.findings, services)
    findings = with_effects(matches.findings, state.baseline or workload, services)
    return state.moved(findings=findings, checked=matches.checked)


def patch(state: AuditState, services: Services) -> AuditState:
    """Choose a consistent set, plan it, write it into the user's text."""
    from kb.choose import Choice, choose_findings

    findings = state.findings
    if findings is None or state.profile is None:
        message = "ask the knowledge base before proposing a patch"
        raise ModelMistake(message)
    request, wanted = services.request, state.chosen
    asked = [
        finding
        for finding in findings
        if (wanted is None or finding.id in wanted) and finding.rule_id not in request.leave_out
    ]
    choices = list(choose_findings(asked, request.include, request.keep))
    for finding in findings:
        if finding not in asked:
            left_out = finding.rule_id in request.leave_out
            choices.append(Choice(finding, LEFT_OUT if left_out else NOT_CHOSEN))
    return propose(state, services, choices, grow=wanted is None)


def propose(
    state: AuditState,
    services: Services,
    choices: Sequence[Choice],
    *,
    grow: bool = True,
    grown: Mapping[str, str] | None = None,
) -> AuditState:
    """Write the patch that follows `choices`; `grow` and `grown` as in `plan_patch`."""
    workload, findings = _read(state), state.findings or ()
    if state.profile is None:
        message = "profile the workload before proposing a patch"
        raise ModelMistake(message)
    proposal = propose_edits(workload, state.profile, choices, services, grow=grow, grown=grown)
    order = in_order(state.baseline or workload, proposal.plan.followed, services)
    steps = anchored_steps(order.steps, services.anchoring(workload).anchor, services)
    followed = {finding.id: finding for finding in order.findings}
    told = (*findings, *proposal.plan.found)
    return state.moved(
        findings=tuple(followed.get(finding.id, finding) for finding in told),
        patch=proposal.patch.model_copy(update={"steps": steps}),
        patched=proposal.workload,
        not_run=state.not_run or _stopped(proposal.workload or workload, services),
    )


def benchmark(state: AuditState, services: Services) -> AuditState:
    """The run before; called again, both arms together under the same conditions."""
    baseline = state.baseline or _read(state)
    arms = [Arm(name="baseline", workload=baseline, env=dict(state.baseline_env))]
    if state.bench(BEFORE) is None:
        return _benched(state, BEFORE, arms, services)
    if state.patched is None or state.patch is None:
        message = "there is no patched workload to benchmark"
        raise ModelMistake(message)
    arms.append(Arm(name="patched", workload=state.patched, env=state.patch.env))
    return attributed(_benched(state, AFTER, arms, services), services, propose)


def compare(state: AuditState, services: Services) -> AuditState:
    """Hold the two arms of one benchmark against each other, or say why that cannot be done."""
    before, after = state.bench(BEFORE), state.bench(AFTER)
    if before is None or (state.edited and after is None):
        message = "benchmark both workloads before comparing"
        raise ModelMistake(message)
    return state.moved(comparison=compared_benches(state, before, after))


NOT_CHOSEN = Why("unwanted", "Not chosen by the backend")
LEFT_OUT = Why("unwanted", "You left it out")
NOT_CURED = "the file does not start, and what would cure it is not in the patch"
STAGE: dict[StageName, Stage] = {
    "parse": parse,
    "profile": profile,
    "query": query,
    "patch": patch,
    "benchmark": benchmark,
    "compare": compare,
}


def _read(state: AuditState) -> Workload:
    if state.workload is None:
        message = "parse the upload first"
        raise ModelMistake(message)
    return state.workload


def with_baseline(
    state: AuditState, workload: Workload, findings: tuple[Finding, ...], services: Services
) -> AuditState:
    """What stands for "before": the file, with only the edits that let it start if it does not."""
    stops = [finding for finding in findings if finding.stops_run]
    if not stops:
        return state.moved(baseline=workload, starts_as_written=True)
    first: dict[str, FieldEdit] = {}
    for finding in stops:
        for edit in finding.edits if may_edit(finding, services.request) else ():
            first.setdefault(edit.field, edit)
    edits = tuple(first.values())
    edited = write_edits(in_text(workload, edits), services.request) if edits else None
    started = edited.workload if edited else workload
    env = outside_text(workload, edits)
    started = started.with_values({f"env:{name}": value for name, value in env.items()})
    return state.moved(
        starts_as_written=False,
        baseline=started,
        baseline_env=tuple(env.items()),
        not_run=_stopped(started, services),
    )


def _stopped(workload: Workload, services: Services) -> str | None:
    """Why a workload does not start; the rules are asked again, so a patch is held to them too."""
    findings = services.match(workload, services.profile(workload)).findings
    titles = "; ".join(finding.title for finding in findings if finding.stops_run)
    return f"{NOT_CURED} ({titles})" if titles else None


def may_edit(finding: Finding, request: AuditRequest) -> bool:
    """Whether the user's wishes let the patch follow a finding."""
    kept = any(edit.field in request.keep for edit in finding.edits)
    left_out = finding.rule_id in request.leave_out
    return finding.semantics in request.include and not kept and not left_out


def _benched(state: AuditState, bench_id: str, arms: list[Arm], services: Services) -> AuditState:
    request = services.request
    spec = Spec(
        arms=tuple(arms),
        hardware=services.hardware.id,
        gpus=request.gpus,
        nodes=request.nodes,
        steps=request.steps,
        anchor=services.anchoring(_read(state)).anchor,
        profile=bench_id == BEFORE,
    )
    if state.not_run is None:
        spec, state = _settled(spec, state, services)
    if state.not_run is not None:
        return state.moved(benches=(*state.benches, empty_bench(spec, bench_id)))
    try:
        bench = run_spec(spec, bench_id, services)
    except MissingFacts as missing:
        return state.moved(
            benches=(*state.benches, empty_bench(spec, bench_id)), not_run=str(missing)
        )
    except RunFailed as failed:
        bench = failed_bench(spec, bench_id, str(failed), services)
    return _with_measured_profile(state.moved(benches=(*state.benches, bench)), bench)


def _settled(spec: Spec, state: AuditState, services: Services) -> tuple[Spec, AuditState]:
    """The spec on the terms that were approved, where it costs money; or why it does not run."""
    try:
        settled = settle_pair(spec, state, services.runner, services.approvals)
    except MissingFacts as missing:
        return spec, state.moved(not_run=str(missing))
    if settled is None:
        return spec, state
    if not settled.approved:
        return spec, state.moved(not_run=f"The runs were not approved: {settled.reason}")
    return on_terms(spec, settled.terms), state


def _with_measured_profile(state: AuditState, bench: Bench) -> AuditState:
    """Where the time of a step went when it was measured; what fits stays a projection."""
    arm = bench.arm("baseline")
    if state.profile is None or arm is None or arm.provenance == "projected" or not arm.breakdown:
        return state
    found = {"timed": arm.provenance, "step_s": arm.step_s, "breakdown": arm.breakdown}
    return state.moved(profile=state.profile.model_copy(update=found))
