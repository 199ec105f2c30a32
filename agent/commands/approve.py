"""Asks at the terminal whether runs that cost money may start; where nobody sits, it is no."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.money.approvals import Decision
from audit.export.printable import printable
from audit.records.errors import UserError
from audit.records.events import ApprovalRequiredData

if TYPE_CHECKING:
    from agent.jobs import Jobs, Started
    from audit.records.events import Event

NOBODY = "nobody could be asked: use --yes, with --max-usd for a cap"
CHANGES = {"steps": "steps", "time": "timeout_s", "machine": "flavor", "payer": "namespace"}
"""What may be written before the `=` -> field of `Terms`."""
HOW = "[y, n WHY, or changes such as steps=20 time=10m machine=NAME payer=NAME]"
MAX_MISREAD = 3
LOOK_EVERY = 0.05


def decide(jobs: Jobs, started: Started, event: Event) -> None:
    """Put the question and hand the answer over; one that comes too late is dropped.

    The event can be read before the audit has begun to wait, so an answer as quick as a pipe's is
    held until it does.
    """
    required = ApprovalRequiredData.model_validate(event.data)
    decision = _asked(required)
    while not _waits(jobs, started.audit_id, required.call_id):
        last = jobs.follow(started.audit_id, event.seq, timeout=LOOK_EVERY)
        if any(one.type == "approval_decided" or one.terminal for one in last):
            return
    with suppress(UserError):
        jobs.decide(started.audit_id, started.owner_token, required.call_id, decision)


def _waits(jobs: Jobs, audit_id: str, call_id: str) -> bool:
    pending = jobs.pending(audit_id)
    return pending is not None and pending.call_id == call_id


def question(required: ApprovalRequiredData) -> str:
    """Price, time, what the price assumes, and what was spent, in a few lines."""
    lines = [f"goblin: {required.text} Up to {required.seconds / 60:.0f} min."]
    if required.note:
        lines.append(f"  {required.note[0].upper()}{required.note[1:]}.")
    cap = f" of ${required.cap_usd:g}" if required.cap_usd is not None else ""
    lines.append(f"  Spent so far: ${required.spent_usd:.2f}{cap} for model and runs.")
    return "\n".join(lines)


def unasked(required: ApprovalRequiredData) -> str:
    """Why the runs do not start where nobody sits, also in spite of a standing yes."""
    if required.trouble:
        return f"{required.trouble}, and nobody could be asked"
    if required.usd is None:
        return "the price is not known, and nobody could be asked"
    return NOBODY


def read_answer(text: str) -> Decision | None:
    """What was typed; None where it cannot be read, an empty line is no.

    `y`, `n` with the reason behind it, or changes as NAME=VALUE; a number alone is steps.
    """
    word, _, rest = text.strip().partition(" ")
    if word.lower() in ("", "n", "no"):
        return Decision(approved=False, feedback=rest.strip())
    if word.lower() in ("y", "yes") and not rest.strip():
        return Decision(approved=True)
    if text.strip().isdigit():
        return Decision(approved=True, changes={"steps": text.strip()})
    pairs = [part.partition("=") for part in text.split()]
    if all(name in CHANGES and value for name, _, value in pairs):
        return Decision(approved=True, changes={CHANGES[name]: value for name, _, value in pairs})
    return None


def _asked(required: ApprovalRequiredData) -> Decision:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Decision(approved=False, feedback=unasked(required))
    sys.stderr.write(printable(question(required)) + "\n")
    for _ in range(MAX_MISREAD):
        sys.stderr.write(f"Start? {HOW} ")
        sys.stderr.flush()
        decision = read_answer(sys.stdin.readline())
        if decision is not None:
            return decision
        sys.stderr.write("That was not understood. ")
    return Decision(approved=False, feedback="no answer that could be read")
