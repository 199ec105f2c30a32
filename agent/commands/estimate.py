"""`estimate FILE...`: speed and memory of a training file on a card, projected with an interval."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.answers import estimate_answer
from agent.card import card_of
from agent.commands.files import read_file, read_files
from agent.commands.options import (
    add_anchor,
    add_card,
    add_reading,
    dialect_of,
    lengths_of,
    settings,
    versions_of,
)
from agent.commands.say import give, say
from audit.records.errors import InputError

if TYPE_CHECKING:
    from agent.patching.quick import Projected
    from runner.estimator.best import Best


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `estimate`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="files that belong together")
    add_card(parser)
    add_reading(parser)
    add_anchor(parser)
    parser.add_argument(
        "--points", metavar="POINTS.json", help='{"points": [...]}: one JSON line for each'
    )
    parser.add_argument(
        "--best", action="store_true", help="search the fastest configuration of the same maths"
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
        give(json.dumps(answer, ensure_ascii=False) + "\n")
    return 0


def _file(given: argparse.Namespace) -> int:
    from agent.patching.quick import project

    card = card_of(given.hardware, settings())
    found = project(
        read_files(given.files),
        hardware=card.name,
        detected=card.detected,
        gpus=given.gpus,
        nodes=given.nodes,
        versions=versions_of(given.versions),
        dialect=dialect_of(given),
        lengths=lengths_of(given.lengths),
        step_s=given.step_time,
        search=given.best,
    )
    if given.json:
        answer = estimate_answer(found, searched=given.best)
        give(json.dumps(answer, ensure_ascii=False) + "\n")
    else:
        say("".join(_as_text(found, given.best)))
    return 0


def _as_text(found: Projected, searched: bool) -> Iterator[str]:
    from audit.export.figures import metric_rows
    from audit.export.text import hardware_text

    yield f"{hardware_text(found.hardware)}\n"
    for row in metric_rows(found.metrics):
        yield f"{row.label}: {row.texts[0]}\n"
    if found.metrics.failure:
        yield f"{found.metrics.failure}\n"
    if found.largest:
        one = found.largest
        yield (
            f"largest that fits {one.margin:.0%} of {one.capacity_gb:.0f} GB, projected: "
            f"micro-batch {one.micro_batch:,}, or samples of {one.sequence:,} tokens\n"
        )
    if searched:
        yield _best_text(found.best)
    for sentence in found.assumptions:
        yield f"assumed: {sentence}\n"


_NAMED = ("per_device_train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing")


def _best_text(best: Best | None) -> str:
    if best is None:
        return "no neutral configuration fits: cut the samples, quantize, or take a larger card\n"
    mode = best.checkpointing
    recomputed = mode if isinstance(mode, str) else "on" if mode else "off"
    others = "".join(
        f", {name} {json.dumps(value).strip(chr(34))}"
        for name, value in best.changes.items()
        if name not in _NAMED
    )
    speed = best.speedup
    start = "" if best.written_fits else "; as written it does not fit"
    return (
        f"best neutral configuration of {best.tried}, projected: micro-batch {best.micro_batch:,} "
        f"x accumulation {best.accumulation:,}, checkpointing {recomputed}{others}: "
        f"{speed.value:.2f}x the speed ({speed.low:.2f} to {speed.high:.2f}), "
        f"at most {best.high_gb:.0f} GB{start}\n"
    )
