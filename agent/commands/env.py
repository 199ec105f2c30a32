"""`env`: versions, cards, links and drivers of this box as JSON, to upload beside a file."""

from __future__ import annotations

import argparse
import json
import sys

from agent.commands.say import give

PYTHON_HELP = "the interpreter that trains (default: the one that runs this command)"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `env`."""
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help=PYTHON_HELP)
    parser.add_argument("--json", action="store_true", help="as it is: JSON is all there is")


def run(given: argparse.Namespace) -> int:
    """Print one JSON object."""
    from runner.box.describe import describe_box

    give(json.dumps(describe_box(given.python), indent=1, ensure_ascii=False) + "\n")
    return 0
