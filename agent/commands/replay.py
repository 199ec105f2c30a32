"""`replay ID`: the recorded events of a kept audit, byte for byte as they were printed."""

from __future__ import annotations

import argparse

from agent.commands.kept import full_id, opened
from agent.commands.say import give


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `replay`."""
    parser.add_argument("id", metavar="ID", help="as `list` shows it; its beginning is enough")
    parser.add_argument("--json", action="store_true", help="as it is: JSON is all there is")


def run(given: argparse.Namespace) -> int:
    """Print one event per line."""
    from audit.log.replay import line, replay

    with opened() as kept:
        for event in replay(kept.store, full_id(kept.store, given.id)):
            give(line(event) + "\n")
    return 0
