"""`list`: the audits kept on this machine, newest first."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from agent.commands.kept import opened
from agent.commands.say import give, say, tell
from audit.export.numbers import count, times
from audit.log.history import Summary
from audit.records.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    parser.add_argument("-n", type=int, default=50, metavar="N", help="at most N (default 50)")
    parser.add_argument("--json", action="store_true", help="one JSON line per audit")


def run(given: argparse.Namespace) -> int:
    """Print one line per audit."""
    if given.n < 1:
        message = f"-n is {given.n}; it must be at least 1"
        raise UserError(message)
    with opened() as kept:
        found = kept.store.summaries(limit=given.n)
    if not found and not given.json:
        tell("no audit is kept here yet")
    for summary in found:
        if given.json:
            give(json.dumps(asdict(summary), ensure_ascii=False) + "\n")
        else:
            say(_line(summary) + "\n")
    return 0


def _line(summary: Summary) -> str:
    result = summary.verdict.replace("_", " ") if summary.verdict else summary.status
    if summary.speedup is not None:
        result += f" {times(summary.speedup)} ({summary.provenance})"
    found = "" if summary.findings is None else f", {count(summary.findings, 'finding')}"
    name, card = summary.workload_name or "-", summary.hardware or "-"
    return f"{summary.audit_id}  {summary.created[:16]}  {name} on {card}: {result}{found}"
