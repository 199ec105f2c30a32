"""Two arms of one benchmark held against each other."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Interval, Provenance, Record
from audit.records.finding import Semantics

Verdict = Literal["faster", "slower", "no_difference", "not_comparable", "failed"]


Clock = Literal["wall", "cpu"]
"""wall: elapsed time. cpu: time of the arm's process on a core."""


class ParityPoint(Record):
    """What both arms had at one optimizer step; the same samples where parity is stepwise."""

    index: int
    """0, 1, ... within each arm, warm-up counted."""
    loss_before: float
    loss_after: float
    grad_norm_before: float
    """Global 2-norm before clipping."""
    grad_norm_after: float


class Parity(Record):
    """Whether both arms trained the same: loss and gradient norm at the same step of both."""

    kind: Literal["stepwise", "window"]
    """stepwise: the same samples at the same step, held against tolerances. window: means over the
    timed steps, to look at; no tolerance is meaningful."""
    semantics: Semantics
    """The weakest of the edits that ran."""
    steps: int
    """Steps held against each other."""
    loss: float
    """Largest relative difference; of means where `kind` is window."""
    grad_norm: float
    loss_tolerance: float | None = None
    grad_norm_tolerance: float | None = None
    reason: str = ""
    """Why it is this kind, in one plain sentence."""
    points: tuple[ParityPoint, ...] = ()
    """Both arms step by step, for a chart; of a long run every so many steps."""


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
    interval_kind: Literal["paired_rounds", "calibrated_pairs"] | None = None
    """paired_rounds: block bootstrap over the rounds of this run. calibrated_pairs: the estimator's
    error on published before/after pairs."""
    rounds: int | None = None
    """Paired rounds behind the interval; None where nothing ran."""
    steps: int | None = None
    """Timed steps per arm in those rounds."""
    clock: Clock | None = None
    """The time that the verdict is made of."""
    other_clock: Interval | None = None
    """The same ratio by the other clock, where both are known: a check, never the verdict."""
    parity: Parity | None = None
