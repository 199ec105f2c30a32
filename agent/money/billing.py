"""Asks before an audit's runs cost money, and keeps the books of what they did cost.

An audit has one pair of runs, before alone and both arms together, and it is approved as one. With
a runner that bills nothing, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.money.approvals import Approvals, Settled
from agent.state import AuditState
from audit.records.spec import Arm, Spec, Stop
from audit.records.terms import Terms
from runner.protocol import Quote, Runner

PAIR = "pair"


def settle_pair(
    spec: Spec, state: AuditState, runner: Runner, approvals: Approvals
) -> Settled | None:
    """Whether the pair that `spec` belongs to may run, and on which terms; None: nothing is billed.

    Args:
        spec: the run that is about to start.
        state: of the audit; says whether there is a patched arm.
        runner: gives the price.
        approvals: of the audit; asks once, and then gives the same answer.

    Raises:
        Cancelled: the owner cancelled instead of deciding.
        MissingFacts: the file does not say enough to be run.
        UserError: the runner cannot run the pair.
    """
    if not runner.capabilities().billable:
        return None
    # as `agent.stages` runs them: what is kept of an earlier audit is found only word for word
    alone = spec.model_copy(update={"arms": spec.arms[:1], "profile": True})
    both = spec.model_copy(update={"arms": _both(spec, state), "profile": False})
    runs = [alone, both] if both.arms != alone.arms else [alone]

    def quote(terms: Terms) -> Quote:
        return together([runner.quote(on_terms(run, terms)) for run in runs])

    return approvals.settle(PAIR, quote, Terms(steps=spec.steps))


def together(quotes: Sequence[Quote]) -> Quote:
    """One quote for all runs of a pair; its price is known only where each one's is."""
    prices = [one.usd for one in quotes if one.usd is not None]
    costs = [one.note for one in quotes if not one.free]
    notes = dict.fromkeys(note for note in costs or [one.note for one in quotes] if note)
    free = [one.note for one in quotes if one.free] if costs else []
    if free:
        notes[f"{len(free)} of {len(quotes)} runs: {free[0]}"] = None
    return Quote(
        seconds=sum(one.seconds for one in quotes),
        usd=sum(prices) if len(prices) == len(quotes) else None,
        note="; ".join(notes),
        free=not costs,
    )


def _both(spec: Spec, state: AuditState) -> tuple[Arm, ...]:
    """Both arms; before there is a patch, the second is reckoned like the first."""
    if len(spec.arms) > 1 or (state.patch is not None and not state.edited):
        return spec.arms
    if state.patched is None or state.patch is None:
        return (*spec.arms, Arm(name="patched", workload=spec.arms[0].workload))
    return (*spec.arms, Arm(name="patched", workload=state.patched, env=state.patch.env))


def on_terms(spec: Spec, terms: Terms) -> Spec:
    """The spec as it was approved."""
    stop = spec.stop
    if terms.timeout_s is not None:
        stop = Stop(**{**stop.model_dump(), "seconds": terms.timeout_s})
    return spec.model_copy(update={"steps": terms.steps, "stop": stop, "terms": terms})
