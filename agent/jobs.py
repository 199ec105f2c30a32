"""Audits in the background: one worker thread each, everything they say goes into the log.

Closing a tab stops nothing. The link (the audit id) reads; cancel, delete and the patched files
need the owner token, of which only a hash is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.archiving import open_archiving
from agent.finished.audits import Finished
from agent.measuring.rented import stop_orphans
from agent.money.decisions import Decisions
from agent.offline import sealed
from agent.request import NOBODY, AuditRequest, Visitor, check_request
from agent.settings import Settings
from agent.turns import Turns
from agent.visitors import Allowance
from audit.log.faults import record_fault
from audit.log.history import AuditStatus, Summary
from audit.log.ids import new_secret
from audit.log.recovery import close_interrupted
from audit.log.retention import delete_audit, delete_old
from audit.log.store import STATUS_AFTER, AuditEnded, Store
from audit.log.uploads import UploadFolder
from audit.records.errors import SetupError, UnknownName, UserError
from audit.records.events import ApprovalRequiredData, CancelledData, ErrorData, Event
from audit.records.report import Report
from audit.records.upload import Upload, plainly_named

if TYPE_CHECKING:
    from agent.finished.rebuild import EditChoice
    from agent.money.approvals import Decision

__all__ = ["AuditStatus", "Jobs", "Started", "Summary"]

MAX_WAITING = 100
"""Audits that may run or wait at the same time; one more is refused with a clear message."""
DAY = 86400.0
CLEAN_EVERY = 3600.0
"""Seconds between two looks for audits past their age."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a start gives back: the id to link to, and the secret that owns the audit."""

    audit_id: str
    """32 hex digits, random."""
    owner_token: str
    """Shown once; keep it in the owner's browser."""


@dataclass(frozen=True, slots=True)
class _Job:
    stop: threading.Event
    thread: threading.Thread


class Jobs:
    """Starts, follows, cancels and deletes audits. Safe to use from many threads.

    Every method that takes an audit id raises `UnknownName` for one that is malformed or not in
    the log; every method that takes an owner token raises `UserError` when it is not the owner's.
    """

    def __init__(self, settings: Settings, visitor: Callable[[], Visitor] = Visitor) -> None:
        """Open the log under `settings.data_dir`; end what a dead process left, delete what is old.

        Args:
            settings: what the operator chose.
            visitor: who calls `start`: an id for fair turns and limits, a token of their own.

        Raises:
            SetupError: the folder cannot be written.
        """
        self._settings, self._visitor = settings, visitor
        self._store = Store(settings.data_dir)
        self._uploads = UploadFolder(settings.data_dir)
        self._finished = Finished(self._store, self._uploads)
        self._lock = threading.Lock()
        self._turns = Turns(settings.workers)
        self._allowance = Allowance(settings)
        self._jobs: dict[str, _Job] = {}
        self._decisions = Decisions()
        self._archiving = open_archiving(settings, self._store)
        left = close_interrupted(self._store)
        self._orphans = stop_orphans(self._store, settings, left)
        for audit_id in left:
            self._keep(audit_id)
        self._clean()

    def start(self, request: AuditRequest) -> Started:
        """Check the request, keep its bytes, and queue the audit.

        Raises:
            UserError: no file, an unknown card, backend or runner, a count out of bounds, too many
                audits waiting, a limit of this visitor; nothing is stored then.
        """
        request = replace(request, uploads=tuple(map(plainly_named, request.uploads)))
        check_request(request)
        self._settings.check_runner(request.runner)
        asking = self._visitor()
        if request.visitor == NOBODY:
            request = replace(request, visitor=asking)
        started, visitor = Started(new_secret(), new_secret()), asking.id
        stop = threading.Event()
        thread = threading.Thread(
            target=self._work,
            args=(started.audit_id, request, stop, visitor),
            name=f"audit-{started.audit_id[:8]}",
            daemon=True,
        )
        with self._lock:
            if len(self._jobs) >= MAX_WAITING:
                message = "too many audits are waiting"
                raise UserError(message, remedy="Try again in a minute.")
            self._allowance.begin(visitor)
            self._enter(started, visitor)
            self._jobs[started.audit_id] = _Job(stop, thread)
        try:
            self._uploads.save(started.audit_id, request.uploads)
        except OSError as error:
            self._jobs.pop(started.audit_id)
            self._allowance.end(visitor)
            delete_audit(self._store, self._uploads, started.audit_id)
            message = f"the files cannot be kept ({error.strerror})"
            raise SetupError(message, remedy="Make room in GOBLIN_DATA_DIR.") from error
        if self._archiving:
            self._archiving.expect(started.audit_id)
        thread.start()
        if time.monotonic() - self._cleaned > CLEAN_EVERY:
            self._clean()
        return started

    def storage_note(self, audit_id: str) -> str:
        """Why the link may not outlive a restart, in words; empty where all is well."""
        return self._archiving.note(audit_id, wait=1.0) if self._archiving else ""

    def again(self, audit_id: str, owner_token: str, visitor: Visitor = NOBODY) -> Started:
        """Run an audit once more, with the same files and the same wishes, under a new id."""
        self._check_owner(audit_id, owner_token)
        return self.start(replace(self._finished.asked(audit_id), visitor=visitor))

    def second_round(
        self,
        audit_id: str,
        owner_token: str,
        *,
        keep: Collection[str] = (),
        leave_out: Collection[str] = (),
        visitor: Visitor = NOBODY,
    ) -> Started:
        """Go on from the patch stage of a finished audit, under a new id that names it.

        Args:
            audit_id: the audit whose parse, profile and query are taken over.
            owner_token: of that audit.
            keep: fields to leave as they are, beside those kept before.
            leave_out: rule ids of the findings not to follow, beside those left out before.
            visitor: who asks now.

        Raises:
            UserError: not the owner, no such field or rule, the files are gone, or the audit has
                nothing to take over.
        """
        self._check_owner(audit_id, owner_token)
        wishes = self._finished.second_round(audit_id, keep, leave_out)
        return self.start(replace(wishes, visitor=visitor))

    def events(self, audit_id: str, after: int = 0) -> list[Event]:
        """The events behind `after` (a `seq`), at once."""
        return self._store.events(audit_id, after)

    def follow(self, audit_id: str, after: int = 0, timeout: float = 10.0) -> list[Event]:
        """The events behind `after`; waits up to `timeout` seconds for the first new one.

        An audit that has ended answers at once, with an empty list where nothing is behind `after`.
        """
        return self._store.follow(audit_id, after, timeout)

    def waiting(self) -> int:
        """How many audits wait for their turn now, over all visitors."""
        return self._turns.waiting()

    def wait(self, audit_id: str, seconds: float | None = None) -> Event | None:
        """The last event of an audit, when it has ended, at the latest after `seconds`."""
        job = self._jobs.get(audit_id)
        if job is not None:
            job.thread.join(seconds)
        return self._store.last(audit_id)

    def status(self, audit_id: str) -> AuditStatus:
        """Where the audit stands."""
        return self._store.status(audit_id)

    def report(self, audit_id: str) -> Report | None:
        """The report; None while the audit runs or where it ended without one."""
        return self._finished.report(audit_id)

    def rebuilt(self, audit_id: str, owner_token: str, choice: EditChoice) -> Report:
        """The report for the owner's own choice of edits; nothing is kept.

        Raises:
            UserError: not the owner, no report, the files are gone, or another version made it.
        """
        self._check_owner(audit_id, owner_token)
        return self._finished.rebuilt(audit_id, choice)

    def owns(self, audit_id: str, owner_token: str | None) -> bool:
        """Whether the token is the one that `start` gave for this audit."""
        return self._store.owned_by(audit_id, owner_token)

    def cancel(self, audit_id: str, owner_token: str) -> None:
        """Ask the audit to stop; one that has ended stays as it is."""
        self._check_owner(audit_id, owner_token)
        job = self._jobs.get(audit_id)
        if job is not None:
            job.stop.set()
            self._turns.wake()

    def decide(self, audit_id: str, owner_token: str, call_id: str, decision: Decision) -> None:
        """Approve or decline the runs that wait; raises UserError where nothing waits."""
        self._check_owner(audit_id, owner_token)
        self._decisions.decide(audit_id, call_id, decision)

    def pending(self, audit_id: str) -> ApprovalRequiredData | None:
        """What waits for the owner's decision."""
        return self._decisions.pending(audit_id)

    def abandon(self, audit_id: str, owner_token: str) -> bool:
        """Decline what waits, because the owner starts another audit; whether anything did."""
        return self.owns(audit_id, owner_token) and self._decisions.abandon(audit_id)

    def delete(self, audit_id: str, owner_token: str) -> None:
        """Cancel if need be, then remove events and uploaded bytes."""
        self._check_owner(audit_id, owner_token)
        if self._store.status(audit_id) not in STATUS_AFTER.values():
            job = self._jobs.get(audit_id)
            if job is None:
                message = "this audit is running in another process"
                raise UserError(message, remedy="Cancel it there first.")
            job.stop.set()
            self._turns.wake()
            job.thread.join(timeout=30)
        if self._archiving:
            self._archiving.delete(audit_id)
        delete_audit(self._store, self._uploads, audit_id)

    def patched_files(
        self, audit_id: str, owner_token: str, choice: EditChoice | None = None
    ) -> tuple[Upload, ...]:
        """The user's files with the applied edits, byte for byte; empty before a report."""
        self._check_owner(audit_id, owner_token)
        return self._finished.patched_files(audit_id, choice)

    def list(self, audit_ids: Sequence[str] | None = None, limit: int = 50) -> tuple[Summary, ...]:
        """Summaries, newest first; with `audit_ids` only those that exist among them."""
        for audit_id in (audit_ids or ())[:limit] if self._archiving else ():
            with suppress(UnknownName):
                self._store.status(audit_id)
        return self._store.summaries(audit_ids, limit)

    def close(self) -> None:
        """Cancel what runs, wait for the workers and close the log."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        self._turns.wake()
        for job in jobs:
            if job.thread.is_alive():
                job.thread.join(timeout=30)
        if self._orphans:
            self._orphans.join(timeout=30)
        if self._archiving:
            self._archiving.close()
        self._store.close()

    def _enter(self, started: Started, visitor: str) -> None:
        try:
            self._store.create(started.audit_id, started.owner_token)
        except BaseException:
            self._allowance.end(visitor)
            raise

    def _clean(self) -> None:
        """Delete what is past its age, at start and then hourly while audits come in."""
        self._cleaned = time.monotonic()
        delete_old(self._store, self._uploads, self._settings.keep_days)
        if self._archiving:
            self._archiving.forget(time.time() - self._settings.keep_days * DAY)

    def _keep(self, audit_id: str) -> None:
        if self._archiving:
            self._archiving.keep(audit_id)

    def _check_owner(self, audit_id: str, owner_token: str) -> None:
        if not self._store.owned_by(audit_id, owner_token):
            message = "this audit belongs to somebody else"
            raise UserError(
                message, remedy="Open it in the browser that started it, or run your own."
            )

    def _work(
        self, audit_id: str, request: AuditRequest, stop: threading.Event, visitor: str
    ) -> None:
        """The worker thread: waits its turn, then runs the loop to its one terminal event."""
        try:
            with self._turns.taken(visitor, stop.is_set) as mine:
                if not mine or stop.is_set():
                    self._store.append(audit_id, CancelledData(text="Cancelled before it began."))
                else:
                    self._run(audit_id, request, stop)
        except Exception as error:  # a bug: the reader learns that, the data folder the details
            text = record_fault(self._settings.data_dir, f"audit {audit_id}", error)
            with suppress(AuditEnded, UnknownName):
                self._store.append(
                    audit_id,
                    ErrorData(
                        kind="internal",
                        message=text,
                        remedy="This is a fault of GPU Goblin, not of your file.",
                    ),
                )
        finally:
            self._decisions.close(audit_id)
            self._keep(audit_id)
            self._allowance.end(visitor)
            with self._lock:
                self._jobs.pop(audit_id, None)

    def _run(self, audit_id: str, request: AuditRequest, stop: threading.Event) -> None:
        from agent.drive import drive
        from agent.loop import run_audit
        from agent.second_round import taken_over

        events = run_audit(
            request,
            self._store,
            audit_id,
            cancelled=stop.is_set,
            models=self._settings.models,
            taken=taken_over(request, self._store),
            measuring=self._settings.measuring,
            ask=self._decisions.open(audit_id, stop.is_set).wait,
        )
        with sealed(request.offline):
            for _ in drive(events):
                pass
