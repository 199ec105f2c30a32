"""`export ID`: the report of a kept audit as JSON, Markdown or a patch."""

from __future__ import annotations

import argparse
import sys

from agent.commands.kept import kept_report
from agent.commands.write import FORMATS, as_format


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    parser.add_argument("id", metavar="ID", help="as `list` shows it; its beginning is enough")
    parser.add_argument("--format", choices=FORMATS, default="json", help="default json")


def run(given: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(as_format(kept_report(given.id), given.format))
    return 0
