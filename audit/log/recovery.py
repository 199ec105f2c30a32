"""Ends audits whose process died before they did, so that no page waits for them forever."""

from __future__ import annotations

from audit.log.process import is_alive
from audit.log.store import AuditEnded, Store
from audit.records.events import ErrorData

INTERRUPTED = ErrorData(
    kind="interrupted",
    message="The server stopped while this audit was running.",
    remedy="Run it again.",
)


def close_interrupted(store: Store) -> list[str]:
    """Give every audit without an end, whose process is gone, its `error`; returns their ids."""
    closed = []
    for audit_id, process in store.unfinished():
        if is_alive(process):
            continue
        try:
            store.append(audit_id, INTERRUPTED)
        except AuditEnded:  # another process came first
            continue
        closed.append(audit_id)
    return closed
