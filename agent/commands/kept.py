"""Opens the log of this machine, and one audit in it by its id or a unique beginning of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.api import report_of
from agent.commands.options import settings
from agent.settings import Settings
from audit.log.ids import SHAPE
from audit.log.store import Store
from audit.records.errors import UnknownName, UserError
from audit.records.report import Report

if TYPE_CHECKING:
    from agent.archiving import Archiving

MANY = 100_000


@dataclass
class Kept:
    """The log, and the archive beside it where the operator has one."""

    store: Store
    operator: Settings
    _archiving: Archiving | None = field(default=None, init=False)

    @property
    def archiving(self) -> Archiving | None:
        """Opened when it is asked for: most commands need the log alone."""
        from agent.archiving import open_archiving

        if self._archiving is None:
            self._archiving = open_archiving(self.operator, self.store)
        return self._archiving

    def recall(self, audit_id: str) -> bool:
        """Bring an audit back from the archive; False where there is none."""
        return self.archiving is not None and self.archiving.recall(audit_id)

    def close(self) -> None:
        """Write to the archive what is left, then close both."""
        if self._archiving is not None:
            self._archiving.close()
        self.store.close()


@contextmanager
def opened() -> Iterator[Kept]:
    """The log of this machine; audits whose process is gone are told as ended from here on."""
    from agent.measuring.rented import stop_orphans
    from audit.log.recovery import close_interrupted

    operator = settings()
    kept = Kept(Store(operator.data_dir), operator)
    kept.store.recall = kept.recall
    try:
        left = close_interrupted(kept.store)
        orphans = stop_orphans(kept.store, operator, left)
        for audit_id in left:
            if kept.archiving is not None:
                kept.archiving.keep(audit_id)
        yield kept
        if orphans is not None:
            orphans.join(timeout=30)
    finally:
        kept.close()


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
    if fitting:
        return fitting[0]
    if SHAPE.fullmatch(text) is None:
        message = f"no kept audit begins with {text[:40] or 'nothing'}"
        raise UnknownName(message, remedy="`python -m agent list` shows them.")
    store.status(text)  # the archive may have it
    return text


def kept_report(text: str) -> Report:
    """The report of a kept audit; raises what the audit ended with where there is none."""
    with opened() as kept:
        audit_id = full_id(kept.store, text)
        status = kept.store.status(audit_id)
        if status in ("waiting", "running"):
            message = f"this audit is {status}"
            raise UserError(message, remedy="Wait for its end.")
        return report_of(kept.store.events(audit_id)[-1])
