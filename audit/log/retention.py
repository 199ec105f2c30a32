"""Deletes audits past their age, and bytes whose audit is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from audit.log.ids import SHAPE
from audit.log.store import Store
from audit.log.uploads import UploadFolder


def delete_old(
    store: Store, uploads: UploadFolder, keep_days: float, now: datetime | None = None
) -> list[str]:
    """Delete ended audits created more than `keep_days` days ago; returns their ids.

    A running audit is never deleted. Uploaded bytes without an audit in the log (its deletion was
    cut off) go too.
    """
    moment = (now or datetime.now(UTC)) - timedelta(days=keep_days)
    old = store.finished_before(moment.isoformat(timespec="milliseconds"))
    for audit_id in old:
        delete_audit(store, uploads, audit_id)
    kept = [name for name in uploads.audits() if SHAPE.fullmatch(name)]
    known = {summary.audit_id for summary in store.summaries(kept, limit=len(kept))}
    for audit_id in set(kept) - known:
        uploads.delete(audit_id)
    return old


def delete_audit(store: Store, uploads: UploadFolder, audit_id: str) -> None:
    """Delete one audit: the user's bytes first, then what was said about them."""
    uploads.delete(audit_id)
    store.delete(audit_id)
