"""Gives the recorded events of an audit again, byte for byte as they were printed."""

from __future__ import annotations

from collections.abc import Iterator

from audit.log.store import Store
from audit.records.events import Event


def line(event: Event) -> str:
    """One event as one line of JSON, without a line break: what `audit --json` prints."""
    return event.model_dump_json()


def replay(store: Store, audit_id: str) -> Iterator[Event]:
    """The events in order; nothing is run again, so the report is the recorded one."""
    yield from store.events(audit_id)
