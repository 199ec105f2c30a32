"""A what-if as text: the words and numbers of its cells, and the table for a terminal.

The page prints the same cells. A figure that is not known reads "not known", never 0 or a dash.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from audit.export.numbers import between, rounded, spread, step_of
from audit.export.printable import printable
from audit.records.base import Interval
from audit.records.what_if import CardPrice, Fits, WhatIf, WhatIfArm, WhatIfRow

UNKNOWN = "not known"
FITS: dict[Fits, str] = {
    "fits": "fits",
    "tight": "may not fit",
    "no": "does not fit",
    "unknown": UNKNOWN,
}
ARMS = {"baseline": "your file", "patched": "patched"}
HEADS = (
    "Memory, GB", "Tokens/s", "$ per million tokens", "Whole run", "Run costs",
    "Largest micro-batch",
)  # fmt: skip
SHORT = ("memory, GB", "tokens/s", "$ per M tokens", "whole run", "run costs", "batch")
WIDTH = 100


class Cell(NamedTuple):
    """A value and what stands beside it."""

    value: str
    beside: str = ""
    """The ends of the interval; whether it fits."""
    known: bool = True

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.value} ({self.beside})" if self.beside else self.value


NOT_KNOWN = Cell(UNKNOWN, known=False)


def cells(arm: WhatIfArm, row: WhatIfRow) -> tuple[Cell, ...]:
    """One cell per entry of HEADS."""
    return (
        _memory(arm, row),
        _plain(arm.tokens_per_s),
        _plain(arm.usd_per_million_tokens, "$"),
        time_cell(arm.run_s),
        _plain(arm.run_usd, "$"),
        _batch(arm),
    )


def time_cell(seconds: Interval | None) -> Cell:
    """A duration with its interval, all three in one unit: `1.6 h (1.3 to 1.8)`."""
    if seconds is None:
        return NOT_KNOWN
    unit, size = next(
        ((unit, size) for unit, size in (("h", 3600.0), ("min", 60.0)) if seconds.value >= size),
        ("s", 1.0),
    )
    scaled = Interval(low=seconds.low / size, value=seconds.value / size, high=seconds.high / size)
    return Cell(f"{spread(scaled)[0]} {unit}", between(scaled))


def price_text(price: CardPrice | None) -> str:
    """`$2.59 per GPU hour, DigitalOcean gpu-mi300x1-192gb, 2026-10-08`."""
    if price is None:
        return "price not known"
    dollars = f"${price.usd_per_hour:,.2f} per GPU hour"
    if price.source is None:
        return f"{dollars}, your price"
    return f"{dollars}, {price.offer}, {price.source.as_of}"


def what_if_text(found: WhatIf) -> str:
    """The table for a terminal, and what must be known to read it."""
    return printable("\n".join(_lines(found))) + "\n"


def place_text(found: WhatIf) -> str:
    """`8 GPUs on each of 2 machines`."""
    gpus = f"{found.gpus} GPU{'s' * (found.gpus != 1)}"
    return gpus if found.nodes == 1 else f"{gpus} on each of {found.nodes} machines"


def _lines(found: WhatIf) -> Iterator[str]:
    kind = f"{found.provenance}, {found.confidence:.0%} intervals"
    yield f"{found.workload_name} elsewhere, on {place_text(found)}; {kind}"
    yield from textwrap.wrap(f"The run: {found.run.told}.", WIDTH)
    yield ""
    yield from _table(found)
    yield ""
    for row in found.rows:
        yield f"{row.hardware}: {price_text(row.price)}"
    for row in found.rows:
        yield from _told(row)
    for note in ("batch: the largest micro-batch that fits.", *found.notes, *_assumed(found)):
        yield from textwrap.wrap(note, WIDTH)


def _table(found: WhatIf) -> Iterator[str]:
    """Columns as wide as what they hold; an arm without figures says why in their place."""
    lines: list[tuple[str, ...]] = [("card", "file", *SHORT)]
    for row in found.rows:
        for arm in row.arms:
            card = row.hardware if arm is row.arms[0] else ""
            if arm.peak_memory_gb is None:
                lines.append((card, f"{ARMS[arm.name]}: {arm.reason}"))
            else:
                lines.append((card, ARMS[arm.name], *(cell.text for cell in cells(arm, row))))
        if row.arm("patched") is None and not row.arms[0].reason:
            lines.append(("", "patched: nothing to change on this card"))
    whole = [line for line in lines if len(line) > 2]
    widths = [max(len(line[place]) for line in whole) for place in range(len(whole[0]))]
    widths[0] = max(len(line[0]) for line in lines)
    for line in lines:
        yield "  ".join(
            text.ljust(width) for text, width in zip(line, widths, strict=False)
        ).rstrip()


def _told(row: WhatIfRow) -> Iterator[str]:
    """What an arm's figures are of, and what the estimator says of it."""
    for arm in row.arms:
        if arm.note:
            other = f"; other than the audit’s patch: {', '.join(arm.differs)}" * bool(arm.differs)
            told = f"{row.hardware}, {ARMS[arm.name]}: {arm.note}{other}"
            yield from textwrap.wrap(told, WIDTH, subsequent_indent="  ")


def _assumed(found: WhatIf) -> Iterator[str]:
    told = dict.fromkeys(
        sentence for row in found.rows for arm in row.arms for sentence in arm.assumptions
    )
    for sentence in told:
        yield f"assumed: {sentence}"


def _memory(arm: WhatIfArm, row: WhatIfRow) -> Cell:
    if arm.peak_memory_gb is None:
        return NOT_KNOWN
    room = f" of {row.memory_gb:.0f}" if row.memory_gb else ""
    value = f"{spread(arm.peak_memory_gb)[0]}{room}"
    return Cell(value, f"{between(arm.peak_memory_gb)}, {FITS[arm.fits]}")


def _plain(interval: Interval | None, sign: str = "") -> Cell:
    if interval is None:
        return NOT_KNOWN
    return Cell(f"{sign}{_value(interval)}", between(interval))


def _value(interval: Interval) -> str:
    return spread(interval)[0] if interval.value else rounded(0.0, step_of(0.0))


def _batch(arm: WhatIfArm) -> Cell:
    if arm.micro_batch_max is None:
        return NOT_KNOWN
    if not arm.micro_batch_max:
        return Cell("none fits", f"now {arm.micro_batch}")
    return Cell(f"{arm.micro_batch_max:,}", f"now {arm.micro_batch}")
