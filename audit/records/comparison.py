"""Two arms of one benchmark held against each other."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Interval, Provenance, Record

Verdict = Literal["faster", "slower", "no_difference", "not_comparable", "failed"]


class Comparison(Record):
    """The verdict and its interval. `speedup` is after / before in real tokens per second."""

    before_id: str
    after_id: str
    verdict: Verdict
    speedup: Interval | None = None
    confidence: float | None = None
    """Of the interval: 0.95 measured, 0.8 projected."""
    minimum_detectable_effect: float | None = None
    """Smallest |speedup - 1| that this comparison could have told from none."""
    provenance: Provenance | None = None
    loss_parity: Literal["same", "differs", "not_run"] = "not_run"
    reason: str = ""
    """Why the verdict is what it is, in one plain sentence."""
