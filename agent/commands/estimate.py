"""`estimate FILE...`: speed and memory of a training file on a card, projected with an interval."""

from __future__ import annotations

import argparse
import json
import sys

from agent.api import DEFAULT_HARDWARE
from agent.commands.files import read_file, read_files
from agent.commands.options import add_card, add_reading, lengths_of, settings, versions_of
from audit.records.base import Json
from audit.records.errors import InputError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `estimate`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="files that belong together")
    add_card(parser)
    add_reading(parser)
    parser.add_argument(
        "--points", metavar="POINTS.json", help='{"points": [...]}: one JSON line for each'
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> int:
    """Print the projection."""
    if given.points:
        return _points(given.points)
    if not given.files:
        message = "there is no file to estimate"
        raise InputError(message, remedy="Give the file, or --points POINTS.json.")
    return _file(given)


def _points(name: str) -> int:
    from runner.estimator.points import answer_points

    upload = read_file(name)
    try:
        points = json.loads(upload.data)["points"]
    except (ValueError, KeyError, TypeError):
        points = None
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        message = 'this is not {"points": [{...}, ...]}'
        raise InputError(message, file=upload.name)
    for answer in answer_points(points):
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    return 0


def _file(given: argparse.Namespace) -> int:
    from agent.quick import project

    metrics = project(
        read_files(given.files),
        hardware=given.hardware or settings().hardware or DEFAULT_HARDWARE,
        gpus=given.gpus,
        nodes=given.nodes,
        versions=versions_of(given.versions),
        dialect=given.dialect,
        lengths=lengths_of(given.lengths),
    )
    if given.json:
        answer: dict[str, Json] = metrics.model_dump(mode="json", exclude={"arm"})
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return 0
    from audit.export.figures import metric_rows

    for row in metric_rows(metrics, None):
        sys.stdout.write(f"{row.label}: {row.before}\n")
    if metrics.failure:
        sys.stdout.write(f"{metrics.failure}\n")
    return 0
