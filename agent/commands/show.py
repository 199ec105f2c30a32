"""`show ID`: the report of a kept audit."""

from __future__ import annotations

import argparse

from agent.commands.kept import kept_report
from agent.commands.say import give
from agent.commands.write import as_format


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `show`."""
    parser.add_argument("id", metavar="ID", help="as `list` shows it; its beginning is enough")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(given: argparse.Namespace) -> int:
    """Print the report."""
    give(as_format(kept_report(given.id), "json" if given.json else "text"))
    return 0
