"""Opens one kept audit for the commands that take its id; a unique beginning of an id is enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agent.api import report_of
from agent.commands.options import settings
from audit.log.ids import check_audit_id
from audit.log.store import Store
from audit.records.errors import UserError
from audit.records.report import Report

MANY = 100_000


@contextmanager
def opened() -> Iterator[Store]:
    """The log of this machine."""
    store = Store(settings().data_dir)
    try:
        yield store
    finally:
        store.close()


def full_id(store: Store, text: str) -> str:
    """The id that begins with `text`.

    Raises:
        UserError: none or several do.
    """
    found = [summary.audit_id for summary in store.summaries(limit=MANY)]
    fitting = [audit_id for audit_id in found if text and audit_id.startswith(text)]
    if len(fitting) > 1:
        message = f"{len(fitting)} audits begin with {text}"
        raise UserError(message, remedy="Give more of the id.")
    audit_id = fitting[0] if fitting else check_audit_id(text)
    store.status(audit_id)
    return audit_id


def kept_report(text: str) -> Report:
    """The report of a kept audit; raises what the audit ended with where there is none."""
    with opened() as store:
        audit_id = full_id(store, text)
        status = store.status(audit_id)
        if status in ("waiting", "running"):
            message = f"this audit is {status}"
            raise UserError(message, remedy="Wait for its end.")
        return report_of(store.events(audit_id)[-1])
