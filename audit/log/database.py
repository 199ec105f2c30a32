"""Opens the SQLite file of the log: its tables, its modes, and how it is shared."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS audits (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, process TEXT NOT NULL, created TEXT NOT NULL,
    status TEXT NOT NULL, summary TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    audit_id TEXT NOT NULL REFERENCES audits(id) ON DELETE CASCADE, seq INTEGER NOT NULL,
    type TEXT NOT NULL, at TEXT NOT NULL, version INTEGER NOT NULL, parent_call_id TEXT,
    data TEXT NOT NULL, PRIMARY KEY (audit_id, seq)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS one_end ON events(audit_id)
    WHERE type IN ('final_report', 'error', 'cancelled');
CREATE INDEX IF NOT EXISTS by_age ON audits(created);
"""


def open_database(folder: Path | None) -> sqlite3.Connection:
    """A connection in WAL mode to `folder/audits.sqlite3`, made if need be; memory for None.

    Raises:
        OSError: the folder or the file cannot be written.
        sqlite3.Error: the file is no database.
    """
    base = sqlite3.connect(
        _prepared(folder) if folder else ":memory:",
        timeout=10,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute("PRAGMA foreign_keys = ON")
        base.executescript(SCHEMA)
    except sqlite3.Error:
        base.close()
        raise
    return base


def _prepared(folder: Path) -> Path:
    """The database file, readable by this user alone; SQLite gives its WAL the same mode."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "audits.sqlite3"
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path
