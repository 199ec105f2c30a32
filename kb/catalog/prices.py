"""What renting a card costs per hour, where a price list was read; None where none was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from audit.records.finding import Source
from kb.catalog.blocks import parse_block, read_blocks


@dataclass(frozen=True, slots=True)
class Price:
    """One offer of one card."""

    hardware: str
    offer: str
    usd_per_hour: float
    source: Source


@cache
def find_price(hardware: str) -> Price | None:
    """The price of a card by its catalogue id; None: not known, never taken as free."""
    blocks = read_blocks("prices.yaml")
    stated = parse_block(blocks["prices"]).get(hardware)
    if stated is None:
        return None
    source = Source(**parse_block(blocks["sources"])[stated["source"]])
    return Price(hardware, stated["offer"], float(stated["usd_per_hour"]), source)
