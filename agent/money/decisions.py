"""The mailboxes of the audits that run in this process: their owners decide through them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.money.approvals import Decision
from agent.money.mailbox import Mailbox
from audit.records.errors import UserError
from audit.records.events import ApprovalRequiredData


class Decisions:
    """One mailbox for each running audit. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boxes: dict[str, Mailbox] = {}

    def open(self, audit_id: str, cancelled: Callable[[], bool]) -> Mailbox:
        """The mailbox in which the audit waits."""
        box = Mailbox(cancelled)
        with self._lock:
            self._boxes[audit_id] = box
        return box

    def close(self, audit_id: str) -> None:
        """The audit has ended."""
        with self._lock:
            self._boxes.pop(audit_id, None)

    def pending(self, audit_id: str) -> ApprovalRequiredData | None:
        """What waits to be decided in an audit."""
        with self._lock:
            box = self._boxes.get(audit_id)
        return box.pending if box is not None else None

    def decide(self, audit_id: str, call_id: str, decision: Decision) -> None:
        """Drop a decision in; raises UserError where nothing waits for it."""
        with self._lock:
            box = self._boxes.get(audit_id)
        if box is None:
            message = "nothing waits for an approval"
            raise UserError(message, remedy="The audit has ended, or runs in another process.")
        box.decide(call_id, decision)

    def abandon(self, audit_id: str) -> bool:
        """Decline what is pending because a new run begins; whether anything was."""
        with self._lock:
            box = self._boxes.get(audit_id)
        return box is not None and box.abandon()
