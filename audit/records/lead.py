"""What research brought back: leads to look into. No lead is an edit, and none is a measurement."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Record

Confidence = Literal["low", "medium", "high"]


class Lead(Record):
    """One row of a recipe table; unverified until a rule or a benchmark says the same."""

    change: str
    """What to try, one line."""
    evidence: str
    """What the source says about it, one or two sentences."""
    expected: str | None = None
    """The gain that the source promises, in its own figures; None: it states none."""
    measured: str | None = None
    """What the source measured, with its conditions; None: it measured nothing."""
    source: str
    """Address or id of what was read in this research."""
    confidence: Confidence = "low"


class Research(Record):
    """The end of one research call."""

    task: str
    leads: tuple[Lead, ...]
    by: str
    """Backend that did it: `rules` looks into the knowledge base only."""
    ended: str
    """Why it ended, in words."""
    dropped: int = 0
    """Leads left out because their source was never read in this research."""
