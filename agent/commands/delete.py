"""`delete ID`: removes a kept audit, its events and the bytes uploaded for it."""

from __future__ import annotations

import argparse
import sys

from agent.commands.kept import full_id, opened
from agent.commands.options import settings
from audit.records.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `delete`."""
    parser.add_argument("id", metavar="ID", help="as `list` shows it; its beginning is enough")


def run(given: argparse.Namespace) -> int:
    """Delete it; the owner of the data folder needs no token."""
    from agent.rented import stop_orphans
    from audit.log.recovery import close_interrupted
    from audit.log.retention import delete_audit
    from audit.log.uploads import UploadFolder

    with opened() as store:
        orphans = stop_orphans(store, settings(), close_interrupted(store))
        audit_id = full_id(store, given.id)
        if store.status(audit_id) in ("waiting", "running"):
            message = "this audit is still running"
            raise UserError(message, remedy="Cancel it first.")
        delete_audit(store, UploadFolder(settings().data_dir), audit_id)
    if orphans:
        orphans.join(timeout=30)
    sys.stderr.write(f"goblin: deleted {audit_id}\n")
    return 0
