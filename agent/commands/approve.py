"""Asks at the terminal whether runs that cost money may start; where nobody sits, it is no."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.approvals import Decision
from audit.records.errors import UserError
from audit.records.events import ApprovalRequiredData

if TYPE_CHECKING:
    from agent.jobs import Jobs, Started
    from audit.records.events import Event

NOBODY = "nobody could be asked: use --yes, with --max-usd for a cap"


def decide(jobs: Jobs, started: Started, event: Event) -> None:
    """Put the question and hand the answer over; one that comes too late is dropped."""
    required = ApprovalRequiredData.model_validate(event.data)
    decision = _asked(required)
    with suppress(UserError):
        jobs.decide(started.audit_id, started.owner_token, required.call_id, decision)


def _asked(required: ApprovalRequiredData) -> Decision:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Decision(approved=False, feedback=NOBODY)
    sys.stderr.write(f"goblin: {required.text} About {required.seconds:.0f} s.")
    if required.spent_usd:
        sys.stderr.write(f" Spent so far: ${required.spent_usd:.2f}.")
    sys.stderr.write(" Start? [y/N, or STEPS] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer.isdigit():
        return Decision(approved=True, changes={"steps": answer})
    return Decision(approved=answer in ("y", "yes"))
