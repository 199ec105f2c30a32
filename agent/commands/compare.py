"""`compare A B...`: kept audits side by side, and what may be said of them."""

from __future__ import annotations

import argparse

from agent.commands.kept import full_id, kept_report, opened
from agent.commands.say import give
from audit.export.comparison import FORMATS, compared_as


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `compare`."""
    parser.add_argument(
        "ids", nargs="+", metavar="ID", help="two audits or more; the beginning of an id is enough"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="default text")
    parser.add_argument("--json", action="store_true", help="the same as --format json")


def run(given: argparse.Namespace) -> int:
    """Print them; unlike card, counts, provenance or anchoring is told, never compared."""
    from agent.finished.side_by_side import compare_reports

    with opened() as kept:
        ids = [full_id(kept.store, text) for text in given.ids]
    compared = compare_reports([(audit_id, kept_report(audit_id)) for audit_id in ids])
    give(compared_as(compared, "json" if given.json else given.format))
    return 0
