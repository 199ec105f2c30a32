"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import argparse
import os
from typing import get_args

from agent.commands.files import read_file
from agent.settings import Settings, read_settings
from audit.records.errors import InputError, UserError
from audit.records.finding import DEFAULT_INCLUDE, Semantics
from audit.records.workload import DataLengths


def settings() -> Settings:
    """The operator's settings, read once per command."""
    return read_settings(os.environ)


def fault(place: str, error: Exception) -> str:
    """One line for a fault of ours; its trace goes to the data folder."""
    from audit.log.faults import record_fault

    return record_fault(settings().data_dir, place, error)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """`--dialect`, `--versions` and `--lengths`: how the files are to be read."""
    parser.add_argument(
        "--dialect", metavar="FORMAT", help="read the training file as this format, such as py_trl"
    )
    parser.add_argument(
        "--trainer",
        metavar="N",
        type=int,
        default=0,
        help="which training run of a script with several, as its notice lists them",
    )
    parser.add_argument(
        "--versions",
        metavar="NAME=VERSION,...",
        default="",
        help="whose defaults to read, such as transformers=4.57,rocm=6.4",
    )
    parser.add_argument(
        "--lengths",
        metavar="p50=N,p95=N,max=N | FILE.jsonl",
        default="",
        help="token lengths of the samples, or a sample of the data to measure them on",
    )


def dialect_of(given: argparse.Namespace) -> str | None:
    """`--dialect` and `--trainer` as readers take them: `py_trl`, `py_trl#2`, `#2`.

    Raises:
        InputError: a negative number.
    """
    dialect: str | None = given.dialect
    if given.trainer < 0:
        reason = f"--trainer {given.trainer} is no number of a training run"
        raise InputError(reason, remedy="Count from 1, as the notice of the script does")
    return f"{dialect or ''}#{given.trainer}" if given.trainer else dialect


def add_card(parser: argparse.ArgumentParser) -> None:
    """`--hardware`, `--gpus`, `--nodes`: on what it is to run."""
    parser.add_argument(
        "--hardware",
        metavar="ID",
        help="the card, such as mi300x or h100-sxm (default: this box's, else mi300x)",
    )
    parser.add_argument("--gpus", type=int, default=1, help="GPUs per node (default 1)")
    parser.add_argument("--nodes", type=int, default=1, help="nodes (default 1)")


def add_anchor(parser: argparse.ArgumentParser) -> None:
    """`--step-time`: what the file takes today, to scale projections to."""
    parser.add_argument(
        "--step-time",
        type=float,
        metavar="SECONDS",
        help="seconds of one optimizer step today: projections are scaled to it",
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """`--include` and `--keep`: which edits the patch may hold."""
    parser.add_argument(
        "--include",
        metavar="KIND,...",
        default=",".join(sorted(DEFAULT_INCLUDE)),
        help="kinds of edits to apply: neutral, numerics, dynamics (default neutral,numerics)",
    )
    parser.add_argument(
        "--keep", metavar="FIELD,...", default="", help="fields to leave as they are"
    )


def versions_of(text: str) -> dict[str, str]:
    """`transformers=4.57,rocm=6.4` as a mapping; raises UserError where it is none."""
    from workload.versions import parse_versions

    return parse_versions(text) if text.strip() else {}


def lengths_of(text: str) -> DataLengths | None:
    """Stated lengths, or those measured on a sample file; None for an empty text."""
    from workload.lengths import measure_lengths, parse_lengths

    if not text.strip():
        return None
    return parse_lengths(text) if "=" in text else measure_lengths(read_file(text))


def include_of(text: str) -> frozenset[Semantics]:
    """`neutral,dynamics` as a set; raises UserError listing the known kinds."""
    known: tuple[Semantics, ...] = get_args(Semantics)
    wanted = words(text)
    unknown = [word for word in wanted if word not in known]
    if unknown:
        message = f"--include does not know {', '.join(unknown)}"
        raise UserError(message, remedy=f"Known: {', '.join(known)}.")
    return frozenset(kind for kind in known if kind in wanted)


def words(text: str) -> list[str]:
    """The parts of a comma-separated text, without blanks and empty ones."""
    return [word.strip() for word in text.split(",") if word.strip()]
