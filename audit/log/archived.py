"""One finished audit as the file that an archive keeps: all its events, and who owns it as a hash.

The uploaded bytes are no part of it: they stay on the local disk and go with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import ValidationError

from audit.log.archive import ArchiveFault
from audit.records.base import Record
from audit.records.events import Event

FORM: str = "gpu-goblin-audit"


class ArchivedAudit(Record):
    """What the log holds of an audit that has ended."""

    form: str = FORM
    version: int = 1
    audit_id: str
    created: str
    """UTC, ISO 8601."""
    owner: str
    """SHA-256 of the owner token."""
    events: tuple[Event, ...]
    """All of them; the last is the terminal one."""


def write_archived(audit_id: str, created: str, owner: str, events: Iterable[str]) -> bytes:
    """The file, one line of JSON.

    Args:
        audit_id: of an audit that has ended.
        created: UTC, ISO 8601.
        owner: SHA-256 of the owner token.
        events: each as JSON text; they are not read again.
    """
    head = {"form": FORM, "version": 1, "audit_id": audit_id, "created": created, "owner": owner}
    return f'{json.dumps(head)[:-1]}, "events": [{", ".join(events)}]}}\n'.encode()


def read_archived(audit_id: str, data: bytes) -> ArchivedAudit:
    """The audit in a file.

    Raises:
        ArchiveFault: it is no file of ours, not whole, or of another audit.
    """
    try:
        audit = ArchivedAudit.model_validate(json.loads(data))
    except (ValueError, ValidationError) as error:
        message = f"the archive's file of audit {audit_id[:8]} cannot be read"
        raise ArchiveFault(message) from error
    events = audit.events
    whole = (
        audit.form == FORM
        and audit.audit_id == audit_id
        and [event.seq for event in events] == list(range(1, len(events) + 1))
        and all(event.audit_id == audit_id for event in events)
        and [event.terminal for event in events] == [False] * (len(events) - 1) + [True]
    )
    if not whole:
        message = f"the archive's file of audit {audit_id[:8]} is not whole"
        raise ArchiveFault(message)
    return audit
