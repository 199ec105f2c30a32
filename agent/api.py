"""Typed entry points to an audit for the page, the command line, MCP and callers in Python.

It decides nothing: it hands a request to the loop. Heavy rooms are imported inside the functions,
so that importing this module is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.request import AuditRequest, check_request
from audit.records.errors import GoblinError, InputError
from audit.records.report import Report

if TYPE_CHECKING:
    from audit.records.events import Event


def audit(request: AuditRequest) -> Report:
    """Run one audit to its end in this thread and return its report; nothing is kept on disk.

    Raises:
        UserError: the input, a name or the set-up is at fault; the message says what to do.
        GoblinError: the audit ended without a report for another reason.
    """
    from agent.drive import drive
    from agent.loop import run_audit
    from agent.offline import sealed
    from audit.log.ids import new_secret
    from audit.log.store import Store

    check_request(request)
    store, audit_id = Store(None), new_secret()
    try:
        store.create(audit_id, new_secret())
        last: Event | None = None
        with sealed(request.offline):
            for event in drive(run_audit(request, store, audit_id)):
                last = event
    finally:
        store.close()
    return report_of(last)


def report_of(last: Event | None) -> Report:
    """The report of an audit's last event; raises what it ended with instead."""
    if last is not None and last.type == "final_report":
        return Report.model_validate(last.data["report"])
    if last is not None and last.type == "error":
        kind = InputError if last.data["kind"] == "input" else GoblinError
        remedy = last.data.get("remedy")
        raise kind(f"{last.data['message']}. {remedy}" if remedy else last.data["message"])
    message = "the audit ended without a report"
    raise GoblinError(message)
