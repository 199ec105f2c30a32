"""`delete ID`: removes a kept audit, its events and the bytes uploaded for it."""

from __future__ import annotations

import argparse
import json

from agent.commands.kept import full_id, opened
from agent.commands.say import give, tell
from audit.records.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `delete`."""
    parser.add_argument("id", metavar="ID", help="as `list` shows it; its beginning is enough")
    parser.add_argument("--json", action="store_true", help="print which one is gone as JSON")


def run(given: argparse.Namespace) -> int:
    """Delete it; the owner of the data folder needs no token."""
    from audit.log.retention import delete_audit
    from audit.log.uploads import UploadFolder

    with opened() as kept:
        audit_id = full_id(kept.store, given.id)
        if kept.store.status(audit_id) in ("waiting", "running"):
            message = "this audit is still running"
            raise UserError(message, remedy="Cancel it first.")
        if kept.archiving is not None:  # first: what stays there would come back
            kept.archiving.delete(audit_id)
        delete_audit(kept.store, UploadFolder(kept.operator.data_dir), audit_id)
    if given.json:
        give(json.dumps({"deleted": audit_id}) + "\n")
    tell(f"deleted {audit_id}")
    return 0
