"""Turns what stands in the what-if form into a question; nothing the browser says is trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agent.finished.run_length import RunAsked, read_amount
from agent.finished.what_if import MAX_CARDS, WhatIfAsked
from agent.request import MAX_GPUS
from audit.records.errors import UserError
from audit.records.workload import DataLengths

MAX_TEXT = 40
LENGTHS = ("p50", "p95", "max")


def read_asked(given: object) -> WhatIfAsked:
    """The question of a form.

    Args:
        given: `cards`, `gpus`, `nodes`, `rows`, `epochs`, `tokens`, `p50`, `p95`, `max`, `prices`,
            all as the visitor typed them; what is absent or empty is as audited.

    Raises:
        UserError: something that is not a number, lengths that are none, or no card.
    """
    form: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    cards = form.get("cards")
    named = tuple(_text(card) for card in cards[: MAX_CARDS + 1]) if isinstance(cards, list) else ()
    if not named:
        message = "no card is chosen"
        raise UserError(message, remedy="Tick at least one.")
    return WhatIfAsked(
        cards=named,
        gpus=_count("GPUs per machine", form.get("gpus")),
        nodes=_count("machines", form.get("nodes")),
        lengths=_lengths(form),
        run=RunAsked(
            tokens=read_amount("tokens", _text(form.get("tokens"))),
            rows=read_amount("rows", _text(form.get("rows"))),
            epochs=read_amount("epochs", _text(form.get("epochs"))),
        ),
        prices=_prices(form.get("prices")),
    )


def _text(value: object) -> str:
    return str(value).strip()[:MAX_TEXT] if isinstance(value, str | int | float) else ""


def _count(name: str, value: object) -> int | None:
    found = read_amount(name, _text(value))
    if found is None:
        return None
    if found != int(found) or not 1 <= found <= MAX_GPUS:
        message = f"{name} is {_text(value)}"
        raise UserError(message, remedy=f"Give a whole number from 1 to {MAX_GPUS:,}.")
    return int(found)


def _lengths(form: Mapping[str, Any]) -> DataLengths | None:
    """All three or none: a typical, a long and the longest sample."""
    found = [read_amount(name, _text(form.get(name))) for name in LENGTHS]
    if all(value is None for value in found):
        return None
    if any(value is None or value < 1 or value > 1e8 for value in found):
        message = "the lengths of the samples are not whole"
        raise UserError(message, remedy="Give all three in tokens: typical, 95 of 100, longest.")
    middle, long, longest = (int(value or 0) for value in found)
    if not middle <= long <= longest:
        message = f"lengths {middle}, {long}, {longest} are out of order"
        raise UserError(message, remedy="Give typical, then 95 of 100, then longest.")
    return DataLengths(
        p50=middle, p95=long, max=longest, origin="stated", source="the what-if form"
    )


def _prices(given: object) -> dict[str, float]:
    """The visitor's own prices; an empty field means the price list's."""
    prices: dict[str, float] = {}
    for card, text in list(given.items())[:MAX_CARDS] if isinstance(given, Mapping) else ():
        try:
            value = float(_text(text)) if _text(text) else math.nan
        except ValueError:
            value = -1.0
        if not math.isnan(value):
            prices[_text(card)] = value
    return prices
