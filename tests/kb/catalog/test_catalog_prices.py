"""Prices: only what a price list states."""

from __future__ import annotations

from kb.catalog.hardware import card_ids
from kb.catalog.prices import find_price


def test_stated_price_has_its_source() -> None:
    price = find_price("t4")
    assert price is not None
    assert price.usd_per_hour == 0.40
    assert price.source.url.startswith("https://")


def test_unknown_price_is_not_free() -> None:
    assert find_price("mi325x") is None
    assert any(find_price(name) for name in card_ids())
