"""`list`: the audits kept on this machine, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from agent.commands.options import settings
from audit.export.numbers import times
from audit.log.history import Summary


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    parser.add_argument("-n", type=int, default=50, metavar="N", help="at most N (default 50)")
    parser.add_argument("--json", action="store_true", help="one JSON line per audit")


def run(given: argparse.Namespace) -> int:
    """Print one line per audit."""
    from audit.log.store import Store

    store = Store(settings().data_dir)
    try:
        found = store.summaries(limit=max(0, given.n))
    finally:
        store.close()
    if not found and not given.json:
        sys.stderr.write("goblin: no audit is kept here yet\n")
    for summary in found:
        text = json.dumps(asdict(summary), ensure_ascii=False) if given.json else _line(summary)
        sys.stdout.write(text + "\n")
    return 0


def _line(summary: Summary) -> str:
    result = summary.verdict.replace("_", " ") if summary.verdict else summary.status
    if summary.speedup is not None:
        result += f" {times(summary.speedup)} ({summary.provenance})"
    count = "" if summary.findings is None else f", {summary.findings} findings"
    name, card = summary.workload_name or "-", summary.hardware or "-"
    return f"{summary.audit_id}  {summary.created[:16]}  {name} on {card}: {result}{count}"
