"""Leaves an edit out of a plan where the others make more of the memory that it takes.

The planner follows the findings in their order, and each takes what memory it finds. On a small
card the first may leave too little for the next: with checkpointing off only a small micro batch
fits, where recomputing and a large one were faster. So a plan on a full card is made again without
each edit that costs memory, and a clearly faster one wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agent.services import Services
from audit.records.finding import Finding
from audit.records.patch import Why
from audit.records.workload import Workload

if TYPE_CHECKING:
    from agent.patching.plan import LeftOut, Plan

LEAST_GAIN = 1.03
"""As much as a verdict calls faster: below it the estimator cannot tell the two plans apart."""
MOST = 3
"""Edits that are given up one after the other."""

Planner = Callable[[Mapping[str, "LeftOut"]], "Plan"]


def traded(plan: Plan, workload: Workload, planner: Planner, services: Services) -> Plan:
    """The plan, or a faster one without the edits that are not worth their memory.

    Args:
        plan: as the planner made it with nothing barred by this module.
        workload: the file as written.
        planner: makes the plan again without the rules it is given, told with these reasons.
        services: the card.
    """
    given_up: dict[str, LeftOut] = {}
    for _ in range(MOST):
        seconds = _step_s(plan, services)
        if seconds is None or not _is_pinched(plan, services):
            return plan
        others = [
            (faster, finding, other)
            for finding in _costly(plan, workload, services)
            if (other := planner(given_up | _without(finding, ""))).followed
            and (faster := _step_s(other, services)) is not None
        ]
        if not others:
            return plan
        faster, finding, _ = min(others, key=lambda one: one[0])
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
    from agent.patching.plan import LeftOut

    return {finding.rule_id: LeftOut(finding, Why("no_room", told))}


def _step_s(plan: Plan, services: Services) -> float | None:
    step = services.profile(plan.workload).step_s
    return step.value if step else None


def _is_pinched(plan: Plan, services: Services) -> bool:
    """Whether memory is what holds the plan back: of the micro batch, or of an edit left out."""
    from agent.patching.plan import BATCH

    if any(left.why.cause == "no_room" for left in plan.left_out):
        return True
    most = services.profile(plan.workload).micro_batch_max
    micro, accumulation = (plan.workload.value(name, 1) for name in BATCH)
    if most is None or not all(isinstance(one, int) for one in (micro, accumulation)):
        return False
    return bool(accumulation > 1 and most < 2 * micro)


def _costly(plan: Plan, workload: Workload, services: Services) -> list[Finding]:
    """The followed findings that raise the peak; what lets the run start is not given up."""
    from agent.patching.plan import with_edits

    def peak(edited: Workload) -> float:
        fit = services.profile(edited).fit.get("as_written")
        return fit.peak_gb if fit else 0.0

    before = peak(workload)
    return [
        finding
        for finding in plan.followed
        if not finding.stops_run and peak(with_edits(workload, finding.edits)) > before
    ]
