"""Where a running audit waits for its owner's decision, and where the decision is dropped in.

One question at a time. A decision that comes twice, late, or for another question is an error, so
a double click runs nothing twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.money.approvals import Decision
from audit.records.errors import Cancelled, UserError
from audit.records.events import ApprovalRequiredData

LOOK_EVERY = 0.2
"""Seconds between two looks at whether the audit was cancelled."""
ABANDONED = Decision(approved=False, feedback="Abandoned: another run was started.")


class Mailbox:
    """The pending question of one audit. Safe to use from many threads."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._changed = threading.Condition()
        self._pending: ApprovalRequiredData | None = None
        self._decision: Decision | None = None

    @property
    def pending(self) -> ApprovalRequiredData | None:
        """What waits to be decided."""
        with self._changed:
            return self._pending if self._decision is None else None

    def wait(self, required: ApprovalRequiredData) -> Decision:
        """Wait for the decision; raises Cancelled where the audit is cancelled first."""
        with self._changed:
            self._pending, self._decision = required, None
            try:
                while self._decision is None:
                    if self._cancelled():
                        raise Cancelled
                    self._changed.wait(LOOK_EVERY)
                return self._decision
            finally:
                self._pending = self._decision = None

    def decide(self, call_id: str, decision: Decision) -> None:
        """Drop the decision in.

        Raises:
            UserError: nothing is pending, it is decided already, or something else is pending.
        """
        with self._changed:
            if self._pending is None or self._decision is not None:
                message = "nothing waits for an approval"
                raise UserError(message, remedy="It was decided already, or the audit has ended.")
            if self._pending.call_id != call_id:
                message = "this approval is for an earlier offer"
                raise UserError(message, remedy="Look at the present one and decide again.")
            self._decision = decision
            self._changed.notify_all()

    def abandon(self) -> bool:
        """Decline what is pending, because a new run was started; whether anything was."""
        with self._changed:
            if self._pending is None or self._decision is not None:
                return False
            self._decision = ABANDONED
            self._changed.notify_all()
            return True
