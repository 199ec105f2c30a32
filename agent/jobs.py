"""Audits in the background: one worker thread each, everything they say goes into the log.

Closing a tab stops nothing. The link (the audit id) reads; cancel, delete and the patched files
need the owner token, of which only a hash is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.api import AuditRequest
from agent.settings import Settings
from audit.records.events import Event
from audit.records.report import Report
from audit.records.upload import Upload

AuditStatus = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Started:
    """What a start gives back: the id to link to, and the secret that owns the audit."""

    audit_id: str
    """32 hex digits, random."""
    owner_token: str
    """Shown once; keep it in the owner's browser."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One audit of the log, for a history."""

    audit_id: str
    status: AuditStatus
    workload_name: str
    hardware: str
    created: str
    """UTC, ISO 8601."""
    verdict: str | None = None
    findings: int | None = None
    speedup: float | None = None
    provenance: str | None = None


class Jobs:
    """Starts, follows, cancels and deletes audits. Safe to use from many threads.

    Every method that takes an audit id raises `UnknownName` for one that is malformed or not in
    the log; every method that takes an owner token raises `UserError` when it is not the owner's.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the log under `settings.data_dir` and close audits that a dead process left open."""
        raise NotImplementedError

    def start(self, request: AuditRequest) -> Started:
        """Check the request, keep its bytes, and queue the audit.

        Raises:
            UserError: no file, a file over its size limit, an unknown card, backend or runner;
                nothing is stored then.
        """
        raise NotImplementedError

    def events(self, audit_id: str, after: int = 0) -> list[Event]:
        """The events behind `after` (a `seq`), at once."""
        raise NotImplementedError

    def follow(self, audit_id: str, after: int = 0, timeout: float = 10.0) -> list[Event]:
        """The events behind `after`; waits up to `timeout` seconds for the first new one.

        An audit that has ended answers at once, with an empty list where nothing is behind `after`.
        """
        raise NotImplementedError

    def report(self, audit_id: str) -> Report | None:
        """The report; None while the audit runs or where it ended without one."""
        raise NotImplementedError

    def owns(self, audit_id: str, owner_token: str | None) -> bool:
        """Whether the token is the one that `start` gave for this audit."""
        raise NotImplementedError

    def cancel(self, audit_id: str, owner_token: str) -> None:
        """Ask the audit to stop; one that has ended stays as it is."""
        raise NotImplementedError

    def delete(self, audit_id: str, owner_token: str) -> None:
        """Cancel if need be, then remove events and uploaded bytes."""
        raise NotImplementedError

    def patched_files(self, audit_id: str, owner_token: str) -> tuple[Upload, ...]:
        """The user's files with the applied edits, byte for byte; empty before a report."""
        raise NotImplementedError

    def list(self, audit_ids: Sequence[str] | None = None, limit: int = 50) -> tuple[Summary, ...]:
        """Summaries, newest first; with `audit_ids` only those that exist among them."""
        raise NotImplementedError

    def close(self) -> None:
        """Cancel what runs, wait for the workers and close the log."""
        raise NotImplementedError
