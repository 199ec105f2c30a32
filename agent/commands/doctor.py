"""`doctor`: is this box fit to train; a line for each check, with what to do; status 0 or 1."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from agent.commands.env import PYTHON_HELP
from agent.commands.say import give, say


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help=PYTHON_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON object per check")


def run(given: argparse.Namespace) -> int:
    """Print each check as it is made; 1 where one is bad."""
    from runner.box.doctor import examine

    fit = True
    for line in examine(given.python, os.environ):
        fit = fit and line.level != "bad"
        if given.json:
            give(json.dumps(asdict(line), ensure_ascii=False) + "\n")
        else:
            remedy = f". {line.remedy}" if line.remedy else ""
            say(f"{line.level:<4}  {line.name}: {line.text}{remedy}\n")
    return 0 if fit else 1
