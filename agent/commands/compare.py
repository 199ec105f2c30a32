"""`compare A B`: the figures of two kept audits side by side, and what may be said of them."""

from __future__ import annotations

import argparse
import json
import sys

from agent.commands.kept import kept_report
from audit.records.errors import UserError
from audit.records.metrics import Metrics


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `compare`."""
    parser.add_argument("first", metavar="A", help="an audit's id; its beginning is enough")
    parser.add_argument("second", metavar="B", help="another audit's id")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def run(given: argparse.Namespace) -> int:
    """Print both; unlike card, counts, provenance or anchoring is told, never compared."""
    from audit.export.figures import metric_rows, speedup_text
    from runner.compare import compare_arms

    first, second = _figures(given.first), _figures(given.second)
    compared = compare_arms(first, second, before_id=given.first, after_id=given.second)
    if given.json:
        sys.stdout.write(json.dumps(compared.model_dump(mode="json"), ensure_ascii=False) + "\n")
        return 0
    for row in metric_rows(first, second):
        sys.stdout.write(f"{row.label}: {' | '.join(row.texts)}\n")
    sys.stdout.write(f"{speedup_text(compared)}\n{compared.reason}\n")
    return 0


def _figures(audit_id: str) -> Metrics:
    """What the audit ended with: its patched file, or the file itself where nothing changed."""
    report = kept_report(audit_id)
    found = report.after or report.before
    if found is None:
        message = f"audit {audit_id} has no figures: {report.comparison.reason}"
        raise UserError(message)
    return found
