"""Which rented machine has the card that is asked for, and what it costs, as the service says.

Names, prices and makers come from `list_jobs_hardware` at run time; nothing of them is kept here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.records.errors import UnknownName, UserError
from audit.records.spec import Spec
from kb.catalog.hardware import Hardware, all_hardware, find_hardware

if TYPE_CHECKING:
    from huggingface_hub import JobHardwareInfo

UNIT_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
CLOSE = 0.2
"""Stated memory and the catalogue's may differ by this share: makers and services round apart."""
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class Flavor:
    """One machine that can be rented."""

    name: str
    card: str | None
    """The catalogue's id; `cpu` without an accelerator; None: a card that is not known here."""
    cards: int
    maker: str
    memory_gb: float | None
    """Of the machine."""
    usd_per_s: float | None
    """None: no price is stated, or its unit is not known."""


def flavor_of(info: JobHardwareInfo) -> Flavor:
    """What the service says of one machine, in our words."""
    part = info.accelerator
    count = int(_number(part.quantity) or 1) if part else 1
    return Flavor(
        name=info.name,
        card=_card(part.model, _number(part.vram), count) if part else "cpu",
        cards=count,
        maker=part.manufacturer.lower() if part else "",
        memory_gb=_number(info.ram),
        usd_per_s=_price(info.unit_cost_usd, str(info.unit_label)),
    )


def _price(stated: object, unit: str) -> float | None:
    """Dollars per second; what is no positive number of a known unit is not known."""
    seconds = UNIT_SECONDS.get(unit.lower())
    if not isinstance(stated, int | float) or seconds is None:
        return None
    return stated / seconds if math.isfinite(stated) and stated > 0 else None


def choose_flavor(spec: Spec, flavors: Iterable[Flavor]) -> Flavor:
    """The cheapest machine with the spec's card and count, or the one that its terms name.

    Raises:
        UserError: there is none; names what there is.
    """
    card, there = find_hardware(spec.hardware), list(flavors)
    if spec.nodes > 1:
        message = "Hugging Face Jobs are measured on one machine"
        raise UserError(message, remedy="Leave --nodes out.")
    fitting = [one for one in there if one.card == card.id]
    if not fitting:
        raise _no_card(card, there)
    cards = 1 if card.vendor == "cpu" else spec.gpus
    exact = [one for one in fitting if one.cards == cards]
    if not exact:
        counts = ", ".join(sorted({str(one.cards) for one in fitting}))
        message = f"Hugging Face Jobs offers no machine with {spec.gpus} x {card.name}"
        raise UserError(message, remedy=f"Give --gpus one of: {counts}.")
    wanted = spec.terms.flavor if spec.terms else None
    if wanted is None:
        return min(exact, key=lambda one: (one.usd_per_s is None, one.usd_per_s or 0.0, one.name))
    named = next((one for one in exact if one.name == wanted), None)
    if named is None:
        message = f"Hugging Face Jobs has no flavor {wanted!r} with {cards} x {card.name}"
        raise UserError(message, remedy=f"Take {', '.join(sorted(one.name for one in exact))}.")
    return named


def _no_card(card: Hardware, there: list[Flavor]) -> UserError:
    offered = ", ".join(sorted({one.card for one in there if one.card}))
    local = "use --runner local on your own box"
    if card.vendor == "amd" and not any("amd" in one.maker for one in there):
        message = f"Hugging Face Jobs offers no AMD card, so not {card.name}"
        return UserError(message, remedy=f"For AMD {local}, or give --hardware {offered}.")
    message = f"Hugging Face Jobs offers no {card.name}"
    return UserError(message, remedy=f"Give --hardware one of: {offered}; or {local}.")


def _card(model: str, vram: float | None, count: int) -> str | None:
    """The catalogue's card of a model such as `A100`, told apart from its namesakes by memory."""
    squeezed = _NOT_A_LETTER.sub("", model.lower())
    try:
        found = [find_hardware(model)]
    except UnknownName:
        found = []
    if squeezed:
        namesakes = (
            one
            for one in all_hardware()
            if _NOT_A_LETTER.sub("", one.id).startswith(squeezed) and one not in found
        )
        found += sorted(namesakes, key=lambda one: len(one.id))
    fitting = [one.id for one in found if _same_memory(one, vram, count)]
    return fitting[0] if fitting else None


def _same_memory(card: Hardware, vram: float | None, count: int) -> bool:
    """Whether the stated memory is this card's, in all or each."""
    if vram is None or card.memory_gb is None:
        return True
    return any(abs(stated / card.memory_gb - 1) <= CLOSE for stated in (vram / count, vram))


def _number(text: object) -> float | None:
    """`96 GB` -> 96.0; None where no number stands in front."""
    found = re.match(r"\s*(\d+(?:\.\d+)?)", str(text))
    return float(found[1]) if found else None
