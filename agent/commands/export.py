"""`export ID`: a kept audit as a report, a patch, or the conversation that made it."""

from __future__ import annotations

import argparse

from agent.commands.kept import full_id, kept_report, opened
from agent.commands.options import settings
from agent.commands.say import give, say, tell
from agent.commands.write import FORMATS, as_format
from agent.finished.pushing import check_push, place_of, push_lines
from audit.records.errors import UserError

TRAJECTORIES = ("messages", "hermes", "atropos")
"""As `agent.finished.trajectories.FORMATS`; named here so that `--help` needs no import."""


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
    parser.add_argument(
        "--push",
        metavar="USER/DATASET",
        help="of messages, hermes and atropos: write to your own Hub dataset, not to the screen",
    )
    parser.add_argument(
        "--public", action="store_true", help="push although everybody can read that dataset"
    )

    parser.add_argument(
        "--json", action="store_true", help="--format json; a conversation is JSON already"
    )


def run(given: argparse.Namespace) -> int:
    """Print it.

    Raises:
        UserError: neither an id nor --all, or --all or --push with the form of a single report.
        SetupError: --push without a token, or the Hub refuses it.
    """
    form = "json" if given.json and given.format not in TRAJECTORIES else given.format
    if given.push and form not in TRAJECTORIES:
        message = f"--push does not go with --format {form}"
        raise UserError(message, remedy=f"Use one of {', '.join(TRAJECTORIES)}.")
    if form in TRAJECTORIES:
        _write_trajectories(given)
    elif given.all:
        message = f"--all does not go with --format {form}"
        raise UserError(message, remedy=f"Use one of {', '.join(TRAJECTORIES)}, or name an ID.")
    else:
        give(as_format(kept_report(_named(given.id)), form))
    return 0


def _write_trajectories(given: argparse.Namespace) -> None:
    from agent.finished.trajectories import all_started, trajectory_lines

    operator = settings()
    token = check_push(given.push, operator.models.hf_token) if given.push else ""
    with opened() as kept:
        one = None if given.all else full_id(kept.store, _named(given.id))
        ids = all_started(kept.store) if one is None else [one]
        lines = trajectory_lines(kept.store, ids, given.format, given.tokenizer)
        if given.push:
            place = place_of(given.format, one)
            address = push_lines(
                lines, given.push, place, token, operator.hub_url, public=given.public
            )
            if given.public:
                tell("where this dataset is public, everybody can read it now")
            say(f"{address}\n")
            return
        for line in lines:
            give(line)


def _named(audit_id: str | None) -> str:
    if not audit_id:
        message = "export wants the ID of an audit"
        raise UserError(message, remedy="`python -m agent list` shows them.")
    return audit_id
