"""Asks before an audit's runs cost money, and keeps the books of what they did cost.

An audit has one pair of runs, before alone and both arms together, and it is approved as one. With
a runner that bills nothing, nothing is asked.
"""

from __future__ import annotations

from agent.approvals import Approvals, Settled
from agent.state import AuditState
from audit.records.spec import Arm, Spec, Stop
from audit.records.terms import Terms
from runner.protocol import Quote, Runner

PAIR = "pair"


def settle_pair(
    spec: Spec, state: AuditState, runner: Runner, approvals: Approvals
) -> Settled | None:
    """Whether the pair that `spec` belongs to may run, and on which terms; None: it is free.

    Args:
        spec: the run that is about to start.
        state: of the audit; says whether there is a patched arm.
        runner: gives the price.
        approvals: of the audit; asks once, and then gives the same answer.

    Raises:
        Cancelled: the owner cancelled instead of deciding.
        UserError: the runner cannot run the pair.
    """
    if not runner.capabilities().billable:
        return None
    alone = spec.model_copy(update={"arms": spec.arms[:1]})
    both = spec.model_copy(update={"arms": _both(spec, state)})
    runs = [alone, both] if both.arms != alone.arms else [alone]

    def quote(terms: Terms) -> Quote:
        quotes = [runner.quote(on_terms(run, terms)) for run in runs]
        prices = [one.usd for one in quotes if one.usd is not None]
        known = len(prices) == len(quotes)
        return Quote(sum(one.seconds for one in quotes), sum(prices) if known else None)

    return approvals.settle(PAIR, quote, Terms(steps=spec.steps))


def _both(spec: Spec, state: AuditState) -> tuple[Arm, ...]:
    """Both arms; before there is a patch, the second is reckoned like the first."""
    if len(spec.arms) > 1 or (state.patch is not None and not state.edited):
        return spec.arms
    workload = state.patched or spec.arms[0].workload
    return (*spec.arms, Arm(name="patched", workload=workload))


def on_terms(spec: Spec, terms: Terms) -> Spec:
    """The spec as it was approved."""
    stop = spec.stop
    if terms.timeout_s is not None:
        stop = Stop(**{**stop.model_dump(), "seconds": terms.timeout_s})
    return spec.model_copy(update={"steps": terms.steps, "stop": stop, "terms": terms})
