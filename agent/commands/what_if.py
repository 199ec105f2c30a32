"""`what-if FILE...`: the same file on other cards, counts and lengths, with time and money."""

from __future__ import annotations

import argparse

from agent.card import card_of
from agent.commands.files import read_files
from agent.commands.options import (
    add_anchor,
    add_choice,
    add_reading,
    dialect_of,
    include_of,
    lengths_of,
    settings,
    versions_of,
    words,
)
from agent.commands.say import give, say
from agent.finished.run_length import RunAsked, read_amount
from agent.request import AuditRequest
from audit.records.errors import UserError
from audit.records.finding import DEFAULT_INCLUDE
from audit.records.report import Report

OF_FILES = {
    "--versions": "",
    "--dialect": None,
    "--trainer": 0,
    "--include": ",".join(sorted(DEFAULT_INCLUDE)),
    "--keep": "",
    "--step-time": None,
}
"""Options that a kept audit has its own answer to, with their defaults."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `what-if`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="the training file; then others")
    parser.add_argument("--audit", metavar="ID", help="a kept audit instead of files")
    parser.add_argument(
        "--hardware",
        metavar="ID,...",
        default="",
        help="the cards; the first is the one that is audited (default: this box's, else mi300x, "
        "and usual ones)",
    )
    parser.add_argument("--gpus", type=int, help="GPUs per machine (default 1, or as audited)")
    parser.add_argument("--nodes", type=int, help="machines (default 1, or as audited)")
    parser.add_argument("--rows", metavar="N", help="samples of the dataset, such as 52k")
    parser.add_argument("--epochs", metavar="N", help="passes over it (default: the file's)")
    parser.add_argument("--tokens", metavar="N", help="real tokens of the whole run, such as 1.5B")
    parser.add_argument(
        "--price", metavar="ID=USD,...", default="", help="your prices, $ per hour of one GPU"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_reading(parser)
    add_anchor(parser)
    add_choice(parser)


def run(given: argparse.Namespace) -> int:
    """Print the table."""
    from agent.finished.what_if import WhatIfAsked, what_if
    from audit.export.what_if import what_if_text

    if bool(given.files) == bool(given.audit):
        message = "give training files, or --audit ID"
        raise UserError(message, remedy="See python -m agent what-if --help.")
    report = _kept(given) if given.audit else _audited(given)
    asked = WhatIfAsked(
        cards=tuple(words(given.hardware)),
        gpus=given.gpus,
        nodes=given.nodes,
        lengths=lengths_of(given.lengths) if given.audit else None,
        run=RunAsked(
            tokens=read_amount("--tokens", given.tokens),
            rows=read_amount("--rows", given.rows),
            epochs=read_amount("--epochs", given.epochs),
        ),
        prices=prices_of(given.price),
    )
    found = what_if(report, asked)
    if given.json:
        give(found.model_dump_json() + "\n")
    else:
        say(what_if_text(found))
    return 0


def _kept(given: argparse.Namespace) -> Report:
    from agent.commands.kept import kept_report

    asked = {f"--{name.replace('_', '-')}": value for name, value in vars(given).items()}
    ours = [option for option, usual in OF_FILES.items() if asked[option] != usual]
    if ours:
        message = f"{', '.join(ours)} cannot be changed of a kept audit"
        raise UserError(message, remedy="Audit the files again, or give them here.")
    return kept_report(given.audit)


def _audited(given: argparse.Namespace) -> Report:
    from agent.api import audit

    card = card_of(next(iter(words(given.hardware)), None), settings())
    return audit(
        AuditRequest(
            uploads=read_files(given.files),
            hardware=card.name,
            detected=card.detected,
            gpus=1 if given.gpus is None else given.gpus,
            nodes=1 if given.nodes is None else given.nodes,
            lengths=lengths_of(given.lengths),
            versions=versions_of(given.versions),
            include=include_of(given.include),
            keep=frozenset(words(given.keep)),
            dialect=dialect_of(given),
            step_s=given.step_time,
        )
    )


def prices_of(text: str) -> dict[str, float]:
    """`mi300x=1.99,h100-sxm=2.5` as a mapping; raises UserError where it is none."""
    prices = {}
    for word in words(text):
        card, equals, price = word.partition("=")
        try:
            prices[card.strip()] = float(price) if equals else float("nan")
        except ValueError:
            prices[card.strip()] = float("nan")
        if not prices[card.strip()] >= 0:
            message = f"--price {word} is not CARD=DOLLARS"
            raise UserError(message, remedy="Write --price mi300x=1.99,h100-sxm=2.50.")
    return prices
