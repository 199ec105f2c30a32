"""Follows the log of an audit and yields the parts of the page that changed, until it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from audit.records.events import Event
from ui.paint import Values, changed, view_values
from ui.view import AuditView, fold_all

WAIT_SECONDS = 2.0
"""Longest silence: a reader who left is noticed at the next yield."""


class Followed(Protocol):
    """What the page needs of `agent.jobs.Jobs` to read along."""

    def follow(self, audit_id: str, after: int = 0, timeout: float = 10.0) -> list[Event]:
        """The events behind `after`; waits for the first new one."""
        ...

    def waiting(self) -> int:
        """How many audits wait for their turn now."""
        ...


class Moment:
    """One look at an audit: the view so far and what changed on the page since the last."""

    def __init__(self, view: AuditView, values: Values) -> None:
        self.view = view
        self.values = values


def follow_audit(
    log: Followed, audit_id: str, *, owner: bool = False, told: str = ""
) -> Iterator[Moment]:
    """Look at an audit from its first event on until it has ended.

    Args:
        log: where the events are read.
        audit_id: which audit.
        owner: whether this visitor may switch the edits of the report.
        told: what the report's heading over the findings says besides.

    Raises:
        UnknownName: there is no such audit, or it was deleted meanwhile.
    """
    view = AuditView(audit_id)
    page: Values = {}
    while not view.ended:
        events = log.follow(audit_id, view.seq, WAIT_SECONDS)
        view = fold_all(view, events)
        if view.state == "waiting":
            view = replace(view, waiting=log.waiting())
        values = changed(page, view_values(view, owner=owner, told=told))
        page |= values
        yield Moment(view, values)
