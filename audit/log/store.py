"""The log of all audits: one SQLite row per event, appended atomically, never changed.

It redacts everything it is given, numbers it, keeps `log` and `progress` to their first thousand,
and takes exactly one terminal event per audit. It knows no loop and no page; `agent.jobs` writes,
everybody reads. Local disk only: SQLite in WAL mode on a network mount loses writes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from audit.log.archived import ArchivedAudit, write_archived
from audit.log.database import open_database
from audit.log.history import AuditStatus, Summary, summarise
from audit.log.ids import check_audit_id, hash_token, same_token
from audit.log.news import News
from audit.log.process import this_process
from audit.log.scrub import scrub
from audit.records.base import Json, Record
from audit.records.errors import GoblinError, SetupError, UnknownName
from audit.records.events import BOUNDED, MAX_BOUNDED, TERMINAL, TYPE_OF, Event

STATUS_AFTER: dict[str, AuditStatus] = {
    "final_report": "done",
    "error": "failed",
    "cancelled": "cancelled",
}


EVENT = ("type", "data", "audit_id", "seq", "at", "version", "parent_call_id")
"""Columns of an event."""


class AuditEnded(GoblinError):
    """Something was appended behind the terminal event of an audit."""


class Store:
    """One log. Safe to use from many threads; several processes may share the file."""

    def __init__(self, folder: Path | None) -> None:
        """Open `folder/audits.sqlite3` (made with mode 0700 and 0600), or memory for None.

        Raises:
            SetupError: the folder or the file cannot be written or is no log of ours.
        """
        self._lock = threading.RLock()
        self._news = News()
        try:
            self._base = open_database(folder)
        except (OSError, sqlite3.Error) as error:
            message = f"the log in {folder} cannot be opened ({error})"
            raise SetupError(
                message, remedy="Set GOBLIN_DATA_DIR to a folder you may write."
            ) from error
        self.recall: Callable[[str], bool] | None = None
        """Asked for an audit that is not here; True where it has restored it."""
        # A store that nobody closed is closed with its last reader; Python 3.13 warns otherwise.
        weakref.finalize(self, self._base.close)

    def create(self, audit_id: str, owner_token: str) -> None:
        """Enter a new audit, waiting, owned by whoever holds the token."""
        row = (check_audit_id(audit_id), hash_token(owner_token), this_process(), _now())
        with self._writing() as base:
            base.execute("INSERT INTO audits VALUES (?, ?, ?, ?, 'waiting', '{}')", row)

    def append(
        self, audit_id: str, data: Record, *, parent_call_id: str | None = None
    ) -> Event | None:
        """Write one event and return it as it was written; None where its type is full.

        Raises:
            UnknownName: no such audit.
            AuditEnded: the audit has its terminal event already.
        """
        kind = TYPE_OF[type(data)]
        written = data.model_dump_json()
        clean = scrub(value := json.loads(written))
        text = written if clean is value else json.dumps(clean, ensure_ascii=False)
        with self._writing() as base:
            summary = self._open_summary(base, audit_id)
            if kind in BOUNDED and _count(base, audit_id, kind) >= MAX_BOUNDED:
                return None
            seq = base.execute(
                "SELECT COALESCE(MAX(seq), 0) + 1 FROM events WHERE audit_id = ?", (audit_id,)
            ).fetchone()[0]
            event = Event.model_validate(
                {
                    "type": kind,
                    "data": clean,
                    "audit_id": audit_id,
                    "seq": seq,
                    "at": _now(),
                    "parent_call_id": parent_call_id,
                }
            )
            row = (audit_id, seq, kind, event.at, event.version, parent_call_id, text)
            base.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            if kind == "started" or kind in TERMINAL:
                base.execute(
                    "UPDATE audits SET status = ?, summary = ? WHERE id = ?",
                    (
                        STATUS_AFTER.get(kind, "running"),
                        json.dumps(summary | summarise(kind, clean)),
                        audit_id,
                    ),
                )
        self._news.tell(audit_id)
        return event

    def events(self, audit_id: str, after: int = 0) -> list[Event]:
        """The events behind `after`, in order; an unknown audit raises UnknownName."""
        self.status(audit_id)
        return list(map(_event, self._events(audit_id, after)))

    def follow(self, audit_id: str, after: int, timeout: float) -> list[Event]:
        """The events behind `after`; waits up to `timeout` seconds for one while the audit runs."""
        end = time.monotonic() + timeout
        with self._news.watched(audit_id) as news:
            while True:
                news.clear()
                over = self.status(audit_id) in STATUS_AFTER.values()
                found = self.events(audit_id, after)
                left = end - time.monotonic()
                if found or over or left <= 0:
                    return found
                news.wait(min(left, 1.0))  # another process tells nobody here

    def last(self, audit_id: str, kind: str | None = None) -> Event | None:
        """The newest event, or the newest of one type."""
        self.status(audit_id)
        with self._lock:
            row = self._base.execute(
                f"SELECT {', '.join(EVENT)} FROM events WHERE audit_id = ?1"
                " AND (?2 IS NULL OR type = ?2) ORDER BY seq DESC LIMIT 1",
                (audit_id, kind),
            ).fetchone()
        return _event(row) if row else None

    def status(self, audit_id: str) -> AuditStatus:
        """Where the audit stands; an unknown one raises UnknownName."""
        return cast("AuditStatus", self._column(audit_id, "status"))

    def owned_by(self, audit_id: str, owner_token: str | None) -> bool:
        """Whether the token is the one the audit was created with."""
        return same_token(owner_token, self._column(audit_id, "owner"))

    def unfinished(self) -> list[tuple[str, str]]:
        """(audit id, process identity) of every audit without a terminal event."""
        with self._lock:
            return self._base.execute(
                "SELECT id, process FROM audits WHERE status IN ('waiting', 'running')"
            ).fetchall()

    def finished_before(self, moment: str) -> list[str]:
        """Ids of ended audits created before `moment` (UTC, ISO 8601)."""
        with self._lock:
            rows = self._base.execute(
                "SELECT id FROM audits WHERE created < ? AND status NOT IN ('waiting', 'running')",
                (moment,),
            ).fetchall()
        return [row[0] for row in rows]

    def summaries(
        self, audit_ids: Sequence[str] | None = None, limit: int = 50
    ) -> tuple[Summary, ...]:
        """Newest first; with `audit_ids` only those that exist among them."""
        with self._lock:
            rows = self._base.execute(
                "SELECT id, status, created, summary FROM audits"
                " WHERE ?1 IS NULL OR id IN (SELECT value FROM json_each(?1))"
                " ORDER BY created DESC, rowid DESC LIMIT ?2",
                (None if audit_ids is None else json.dumps(list(audit_ids)), limit),
            ).fetchall()
        return tuple(Summary(*row[:3], **json.loads(row[3])) for row in rows)

    def archived(self, audit_id: str) -> bytes:
        """An ended audit as a file to be kept elsewhere; an unknown one raises UnknownName."""
        owner, created = (self._column(audit_id, name) for name in ("owner", "created"))
        return write_archived(audit_id, created, owner, map(_event_text, self._events(audit_id)))

    def restore(self, kept: ArchivedAudit) -> None:
        """Enter an ended audit again; one that is here already stays as it is."""
        summary: dict[str, Json] = {}
        for event in kept.events:
            if event.type == "started" or event.terminal:
                summary |= summarise(event.type, event.data)
        status = STATUS_AFTER[kept.events[-1].type]
        head = (kept.audit_id, kept.owner, "", kept.created, status, json.dumps(summary))
        rows = [
            (
                *(event.audit_id, event.seq, event.type, event.at, event.version),
                *(event.parent_call_id, json.dumps(event.data, ensure_ascii=False)),
            )
            for event in kept.events
        ]
        with self._writing() as base:
            entered = base.execute("INSERT OR IGNORE INTO audits VALUES (?, ?, ?, ?, ?, ?)", head)
            if entered.rowcount:
                base.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def delete(self, audit_id: str) -> None:
        """Remove the audit and its events; deleting an absent one does nothing."""
        with self._writing() as base:
            base.execute("DELETE FROM audits WHERE id = ?", (check_audit_id(audit_id),))
        self._news.tell(audit_id)

    def close(self) -> None:
        """Close the file; the store cannot be used after."""
        with self._lock:
            self._base.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it or nothing."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def _column(self, audit_id: str, name: Literal["status", "owner", "created"]) -> str:
        """One column of an audit's row; looks elsewhere for one that is not here."""
        row = self._row(audit_id)
        if row is None and self.recall is not None and self.recall(audit_id):
            row = self._row(audit_id)
        if row is None:
            raise _unknown()
        return row[("status", "owner", "created").index(name)]

    def _events(self, audit_id: str, after: int = 0) -> list[tuple[Json, ...]]:
        with self._lock:
            return self._base.execute(
                f"SELECT {', '.join(EVENT)} FROM events WHERE audit_id = ? AND seq > ?"
                " ORDER BY seq",
                (audit_id, after),
            ).fetchall()

    def _row(self, audit_id: str) -> tuple[str, str, str] | None:
        with self._lock:
            row: tuple[str, str, str] | None = self._base.execute(
                "SELECT status, owner, created FROM audits WHERE id = ?",
                (check_audit_id(audit_id),),
            ).fetchone()
        return row

    def _open_summary(self, base: sqlite3.Connection, audit_id: str) -> dict[str, Json]:
        row = base.execute(
            "SELECT status, summary FROM audits WHERE id = ?", (check_audit_id(audit_id),)
        ).fetchone()
        if row is None:
            raise _unknown()
        if row[0] in STATUS_AFTER.values():
            message = "the audit has ended; nothing can be added to its log"
            raise AuditEnded(message)
        summary: dict[str, Json] = json.loads(row[1])
        return summary


def _count(base: sqlite3.Connection, audit_id: str, kind: str) -> int:
    row = base.execute(
        "SELECT COUNT(*) FROM events WHERE audit_id = ? AND type = ?", (audit_id, kind)
    ).fetchone()
    return int(row[0])


def _event(row: tuple[Json, ...]) -> Event:
    return Event.model_validate(dict(zip(EVENT, row, strict=True)) | {"data": json.loads(row[1])})


def _event_text(row: tuple[Json, ...]) -> str:
    """The event as JSON; its data is JSON already."""
    head = dict(zip(EVENT, row, strict=True))
    data = head.pop("data")
    return f'{json.dumps(head)[:-1]}, "data": {data}}}'


def _unknown() -> UnknownName:
    message = "there is no audit with this id"
    return UnknownName(message, remedy="It may have been deleted; `list` shows those that exist.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
