"""Leaves an edit out of a plan where the others make more of the memory that it takes.

The planner follows the findings in their order, and each takes what memory it finds. On a small
card the first may leave too little for the next: with checkpointing off only a small micro batch
fits, where recomputing and a large one were faster. So a plan on a full card is made again without
each edit that costs memory, and a clearly faster one wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.patching.plan import BATCH, LeftOut, Plan, plan_patch, with_edits
from agent.services import Services
from audit.records.finding import Finding
from audit.records.patch import Why
from audit.records.profile import Profile
from audit.records.workload import Workload

if TYPE_CHECKING:
    from kb.choose import Choice

LEAST_GAIN = 1.03
"""As much as a verdict calls faster: below it the estimator cannot tell the two plans apart."""
MOST = 3
"""Edits that are given up one after the other."""

Planner = Callable[[Mapping[str, LeftOut]], Plan]
"""Makes the plan without the rules it is given, told with these reasons."""


def best_plan(
    workload: Workload,
    profile: Profile,
    choices: Sequence[Choice],
    services: Services,
    barred: Mapping[str, LeftOut],
    *,
    grow: bool = True,
    grown: Mapping[str, str] | None = None,
) -> Plan:
    """The plan of `plan_patch`, or a faster one without the edits that are not worth their memory.

    Who chose the edits one by one (`grow` off, or `grown` named) gets them. Arguments as there.
    """

    def plan(given_up: Mapping[str, LeftOut]) -> Plan:
        left_out = {**given_up, **barred}
        return plan_patch(workload, profile, choices, services, left_out, grow=grow, grown=grown)

    made = plan({})
    return _traded(made, workload, plan, services) if grow and grown is None else made


def _traded(plan: Plan, workload: Workload, planner: Planner, services: Services) -> Plan:
    given_up: dict[str, LeftOut] = {}
    for _ in range(MOST):
        seconds = _step_s(plan)
        if seconds is None or not _is_pinched(plan):
            return plan
        others = [
            (faster, finding)
            for finding in _costly(plan, workload, services)
            if (other := planner(given_up | _without(finding, ""))).followed
            and (faster := _step_s(other)) is not None
        ]
        if not others:
            return plan
        faster, finding = min(others, key=lambda one: one[0])
        if seconds / faster < LEAST_GAIN:
            return plan
        told = (
            f"The other edits make more of its memory: {faster:.3g} s a step without it, "
            f"{seconds:.3g} s with it (projected)"
        )
        given_up |= _without(finding, told)
        plan = planner(given_up)
    return plan


def _without(finding: Finding, told: str) -> dict[str, LeftOut]:
    return {finding.rule_id: LeftOut(finding, Why("no_room", told))}


def _step_s(plan: Plan) -> float | None:
    step = plan.profile.step_s
    return step.value if step else None


def _is_pinched(plan: Plan) -> bool:
    """Whether memory is what holds the plan back: of the micro batch, or of an edit left out."""
    if any(left.why.cause == "no_room" for left in plan.left_out):
        return True
    most = plan.profile.micro_batch_max
    micro, accumulation = (plan.workload.value(name, 1) for name in BATCH)
    if most is None or not all(isinstance(one, int) for one in (micro, accumulation)):
        return False
    return bool(accumulation > 1 and most < 2 * micro)


def _costly(plan: Plan, workload: Workload, services: Services) -> list[Finding]:
    """The followed findings that raise the peak; what lets the run start is not given up."""

    def peak(edited: Workload) -> float:
        fit = services.profile(edited).fit.get("as_written")
        return fit.peak_gb if fit else 0.0

    before = peak(workload)
    return [
        finding
        for finding in plan.followed
        if not finding.stops_run and peak(with_edits(workload, finding.edits)) > before
    ]
