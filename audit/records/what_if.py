"""The same file on other cards, counts and lengths: what is projected, row by row, and its price.

Everything in it is projected; a figure that nobody can give is None, and `reason` says why.
"""

from __future__ import annotations

from typing import Literal

from audit.records.base import ArmName, Interval, Provenance, Record
from audit.records.finding import Source
from audit.records.workload import DataLengths

Fits = Literal["fits", "tight", "no", "unknown"]
"""fits: the upper end of the interval is below capacity. tight: only the value is. no: not even the
value. unknown: nobody states the card's memory, or nothing is projected."""


class CardPrice(Record):
    """What one hour of one card costs."""

    usd_per_hour: float
    origin: Literal["price list", "yours"]
    offer: str = ""
    source: Source | None = None
    """The price list and the day it was read; None for a price of the user's own."""


class RunLength(Record):
    """How much there is to train, the same on every row."""

    tokens: float | None
    """Real (not padding) tokens of the whole run; None: not known."""
    told: str
    """How it is known, or what to state, in one plain sentence."""
    assumed: bool = False
    """Part of it is assumed: lengths of the samples, or the number of epochs."""


class WhatIfArm(Record):
    """One of the two files on one row: as it is, or with the patch."""

    name: ArmName
    reason: str = ""
    """Why there are no figures, where there are none."""
    note: str = ""
    """What the figures are of, where that is not the file as it is."""
    differs: tuple[str, ...] = ()
    """Where the patch planned for this card is not the audit's, field by field."""
    fits: Fits = "unknown"
    peak_memory_gb: Interval | None = None
    """1e9 bytes on the fullest card."""
    step_s: Interval | None = None
    tokens_per_s: Interval | None = None
    """Real tokens, all cards together."""
    anchored: bool = False
    usd_per_million_tokens: Interval | None = None
    """None also where the price is not known."""
    run_s: Interval | None = None
    run_usd: Interval | None = None
    micro_batch: int | None = None
    micro_batch_max: int | None = None
    """Largest that fits with a tenth of the card to spare (the present one where it just fits),
    everything else as it is; 0: not even one sample."""
    samples_per_step: float | None = None
    assumptions: tuple[str, ...] = ()


class WhatIfRow(Record):
    """One card at the asked counts."""

    hardware: str
    name: str
    memory_gb: float | None
    audited: bool
    """Whether the audit is of this card at these counts."""
    price: CardPrice | None
    arms: tuple[WhatIfArm, ...]
    """As it is, then with the patch where there is one."""

    def arm(self, name: ArmName) -> WhatIfArm | None:
        """One of the two files."""
        return next((arm for arm in self.arms if arm.name == name), None)


class WhatIf(Record):
    """All rows of one question."""

    workload_name: str
    gpus: int
    nodes: int
    provenance: Provenance = "projected"
    confidence: float = 0.8
    """Of every interval."""
    lengths: DataLengths | None
    run: RunLength
    rows: tuple[WhatIfRow, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know to read the rows right."""
