"""`export ID`: a kept audit as a report, a patch, or the conversation that made it."""

from __future__ import annotations

import argparse
import sys

from agent.commands.kept import full_id, kept_report, opened
from agent.commands.write import FORMATS, as_format
from audit.records.errors import UserError

TRAJECTORIES = ("messages", "hermes", "atropos")
"""As `agent.trajectories.FORMATS`; named here so that `--help` needs no import."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    parser.add_argument(
        "id", metavar="ID", nargs="?", help="as `list` shows it; its beginning is enough"
    )
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *TRAJECTORIES),
        default="json",
        help="default json; messages, hermes and atropos are the conversation, as JSON lines",
    )
    parser.add_argument(
        "--all", action="store_true", help="every kept audit; for messages, hermes and atropos"
    )
    parser.add_argument(
        "--tokenizer",
        metavar="FILE",
        default="utf-8-bytes",
        help="of atropos: a tokenizer.json on this machine (default utf-8-bytes)",
    )


def run(given: argparse.Namespace) -> int:
    """Print it.

    Raises:
        UserError: neither an id nor --all, or --all with the form of a single report.
    """
    form = given.format
    if form in TRAJECTORIES:
        _write_trajectories(given)
    elif given.all:
        message = f"--all does not go with --format {form}"
        raise UserError(message, remedy=f"Use one of {', '.join(TRAJECTORIES)}, or name an ID.")
    else:
        sys.stdout.write(as_format(kept_report(_named(given.id)), form))
    return 0


def _write_trajectories(given: argparse.Namespace) -> None:
    from agent.trajectories import all_started, trajectory_lines

    with opened() as store:
        ids = all_started(store) if given.all else [full_id(store, _named(given.id))]
        for line in trajectory_lines(store, ids, given.format, given.tokenizer):
            sys.stdout.write(line)


def _named(audit_id: str | None) -> str:
    if not audit_id:
        message = "export wants the ID of an audit"
        raise UserError(message, remedy="`python -m agent list` shows them.")
    return audit_id
