"""What a finished audit still answers: its report, its files, and what may be asked of it again.

Reads the log and the kept uploads; starts nothing and knows no owner (`agent.jobs` asks for that).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.request import AuditRequest, request_from
from audit.log.store import Store
from audit.log.uploads import UploadFolder
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload

if TYPE_CHECKING:
    from agent.finished.rebuild import EditChoice


class Finished:
    """The audits in one log, by id; each method raises UnknownName for one that is not there."""

    def __init__(self, store: Store, uploads: UploadFolder) -> None:
        self._store, self._uploads = store, uploads

    def report(self, audit_id: str) -> Report | None:
        """The report; None while the audit runs or where it ended without one."""
        last = self._store.last(audit_id, "final_report")
        return Report.model_validate(last.data["report"]) if last else None

    def asked(self, audit_id: str) -> AuditRequest:
        """What was asked for, with the kept bytes.

        Raises:
            UserError: the files are gone.
        """
        request = self._request(audit_id)
        if request is None:
            message = "the files of this audit are gone"
            raise UserError(message, remedy="Upload them again.")
        return request

    def second_round(
        self, audit_id: str, keep: Collection[str], leave_out: Collection[str]
    ) -> AuditRequest:
        """The request of a second round under those wishes, beside the ones stated before.

        Raises:
            UserError: no such field or rule, another version made it, nothing to take over.
        """
        from agent.finished.rebuild import check_version
        from agent.second_round import check_wishes, recorded

        request = self.asked(audit_id)
        made = self._made(audit_id)
        check_version(made)
        check_wishes(made, keep, leave_out)
        recorded(self._store.events(audit_id))
        return replace(
            request,
            parent=audit_id,
            keep=request.keep | frozenset(keep),
            leave_out=request.leave_out | frozenset(leave_out),
        )

    def rebuilt(self, audit_id: str, choice: EditChoice) -> Report:
        """The report for another choice of edits; nothing is kept.

        Raises:
            UserError: no report, the files are gone, or another version made it.
        """
        from agent.finished.rebuild import rebuild

        request = self.asked(audit_id)
        return rebuild(self._made(audit_id), request, choice)

    def patched_files(self, audit_id: str, choice: EditChoice | None) -> tuple[Upload, ...]:
        """The user's files with the applied edits, byte for byte; empty before a report."""
        from agent.patching.propose import patched_uploads

        report, request = self.report(audit_id), self._request(audit_id)
        if report is None or request is None:
            return ()
        if choice:
            report = self.rebuilt(audit_id, choice)
        return patched_uploads(request, report.patch)

    def _made(self, audit_id: str) -> Report:
        report = self.report(audit_id)
        if report is None:
            message = "this audit has no report"
            raise UserError(message, remedy="Wait for its end, or run it again.")
        return report

    def _request(self, audit_id: str) -> AuditRequest | None:
        started = self._store.last(audit_id, "started")
        uploads = self._uploads.read(audit_id)
        return request_from(started.data["request"], uploads) if started and uploads else None
