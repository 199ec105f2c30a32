"""What if it ran elsewhere: the same file on other cards, counts and lengths, with time and money.

Pure: a report in, projected rows out; no log, no clock, no disk. The page, the command line and
callers in Python ask here; whether a file starts on another card is asked of the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.finished.from_report import anchor_of, as_written, patched, reproduces, startable
from agent.finished.replan import wishes_of
from agent.finished.run_length import RunAsked, run_length
from agent.finished.what_if_arms import Place, Scene, baseline_arm, patched_arm
from agent.request import check_counts
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.what_if import CardPrice, WhatIf, WhatIfArm, WhatIfRow
from audit.records.workload import DataLengths, Workload

if TYPE_CHECKING:
    from kb.catalog.hardware import Hardware

CARDS = ("mi300x", "h100-sxm", "b200", "rtx-4090")
"""Asked about where nobody says which."""
MAX_CARDS = 8
MOST_IN_ONE = 16
"""GPUs of one machine; more than any machine sold has, but for racks with one fast domain."""
MOST_USD = 10_000.0


@dataclass(frozen=True, slots=True)
class WhatIfAsked:
    """What to project. Cards in any spelling of the catalogue."""

    cards: tuple[str, ...] = ()
    """Empty: the audited card and four usual ones."""
    gpus: int | None = None
    """Per machine; None: as audited."""
    nodes: int | None = None
    lengths: DataLengths | None = None
    """None: as audited."""
    run: RunAsked = field(default_factory=RunAsked)
    prices: Mapping[str, float] = field(default_factory=dict)
    """Card id -> the user's own price, $ per hour of one card; the price list for the others."""


def what_if(report: Report, asked: WhatIfAsked) -> WhatIf:
    """Project a finished audit's file and its patch on other hardware.

    Args:
        report: the audit.
        asked: cards, counts, lengths, run length, prices.

    Raises:
        UserError: an unknown card, too many, a count or a price that nobody means.
    """
    from kb.catalog.hardware import find_hardware

    used = report.hardware
    gpus = used.gpus if asked.gpus is None else asked.gpus
    nodes = used.nodes if asked.nodes is None else asked.nodes
    _check(asked, gpus, nodes)
    named = asked.cards or (used.id, *CARDS)
    cards = tuple({card.id: card for card in map(find_hardware, named)}.values())
    if len(cards) > MAX_CARDS:
        message = f"{len(cards)} cards are too many for one table"
        raise UserError(message, remedy=f"Name at most {MAX_CARDS}.")
    written, fixed, edited = as_written(report), startable(report), patched(report)
    trusted = edited is None or reproduces(edited, report.after, report)
    run = run_length(_with(written, asked), used.id, used.gpus, used.nodes, asked.run)
    scene = Scene(
        report=report,
        gpus=gpus,
        nodes=nodes,
        written=_with(written, asked),
        fixed=_with(fixed, asked),
        patched=_with(edited, asked) if edited is not None else None,
        trusted=trusted,
        wishes=wishes_of(report),
        run=run,
        prices={find_hardware(name).id: usd for name, usd in asked.prices.items()},
    )
    return WhatIf(
        workload_name=report.workload_name,
        gpus=gpus,
        nodes=nodes,
        lengths=scene.written.lengths,
        run=run,
        rows=tuple(_row(card, scene) for card in cards),
        notes=tuple(_notes(scene, cards)),
    )


def _check(asked: WhatIfAsked, gpus: int, nodes: int) -> None:
    check_counts(gpus, nodes)
    for card, usd in asked.prices.items():
        if not 0 <= usd <= MOST_USD:
            message = f"the price of {card} is {usd:g} $ per hour"
            raise UserError(message, remedy=f"Give 0 to {MOST_USD:,.0f} $ per hour of one GPU.")


def _with(workload: Workload, asked: WhatIfAsked) -> Workload:
    """The workload with the asked lengths."""
    if asked.lengths is None:
        return workload
    return workload.model_copy(update={"lengths": asked.lengths})


def _row(card: Hardware, scene: Scene) -> WhatIfRow:
    used = scene.report.hardware
    same = (card.id, scene.gpus, scene.nodes) == (used.id, used.gpus, used.nodes)
    price = _price(card.id, scene.prices)
    refused = _nonsense(card, scene.gpus, scene.nodes)
    if refused:
        arms: tuple[WhatIfArm, ...] = (WhatIfArm(name="baseline", reason=refused),)
    else:
        place = Place(card, same, price, anchor_of(scene.report) if same else None)
        baseline, patched = baseline_arm(place, scene), patched_arm(place, scene)
        arms = (baseline,) if patched is None else (baseline, patched)
    return WhatIfRow(
        hardware=card.id,
        name=card.name,
        memory_gb=card.memory_gb,
        audited=same,
        price=price,
        arms=arms,
    )


def _nonsense(card: Hardware, gpus: int, nodes: int) -> str:
    """Why there is no such machine; empty where there may be one."""
    from runner.estimator.card import FAST_DOMAIN, NETWORK, NETWORK_OF

    most = max(MOST_IN_ONE, FAST_DOMAIN.get(card.id, 0))
    if gpus > most:
        return f"{gpus} of these in one machine: none has more than {most}. Spread them over nodes."
    if gpus * nodes > 1 and card.link == "shared memory":
        return f"{card.name} shares its memory with the host: one per machine, and no network."
    if nodes > 1 and card.id not in NETWORK_OF and card.generation not in NETWORK:
        return (
            f"{nodes} machines: no source gives a network figure for {card.generation} cards, "
            "so nothing is projected across machines."
        )
    return ""


def _price(card: str, own: Mapping[str, float]) -> CardPrice | None:
    from kb.catalog.prices import find_price

    if card in own:
        return CardPrice(usd_per_hour=own[card], origin="yours")
    listed = find_price(card)
    if listed is None:
        return None
    return CardPrice(
        usd_per_hour=listed.usd_per_hour,
        origin="price list",
        offer=listed.offer,
        source=listed.source,
    )


def _notes(scene: Scene, cards: Sequence[Hardware]) -> list[str]:
    used = scene.report.hardware
    told = ["Training steps alone: no loading, evaluation, saving or waiting in a queue."]
    total, audited = scene.gpus * scene.nodes, used.gpus * used.nodes
    if total != audited:
        told.append(
            f"The audit is of {audited} GPU{'s' * (audited != 1)}: on {total} the file as it "
            "stands takes other samples per step, which changes what is learned. Change the "
            "accumulation to keep them."
        )
    if any(card.id != used.id for card in cards):
        told.append(
            f"On other cards than {used.name} the patch is planned anew, with your choices kept; "
            "audit the file for one of them to get it as text."
        )
    before = scene.report.before
    if before is not None and (before.anchored or before.provenance != "projected"):
        told.append(
            "The row of the audited card is scaled to its known step time; the others are not."
        )
    return told
