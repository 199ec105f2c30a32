"""Which edits of a patch a measured difference comes from: staged runs, shares, dropped edits."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Interval, Provenance, Record
from audit.records.comparison import Verdict


class StagedRun(Record):
    """One re-run: the run before against the same file with some of the edits alone."""

    rule_ids: tuple[str, ...]
    """Whose edits were in it."""
    verdict: Verdict
    speedup: Interval | None = None
    reason: str = ""


class EditShare(Record):
    """What one group of edits adds on top of those before it."""

    rule_ids: tuple[str, ...]
    fields: tuple[str, ...]
    factor: Interval
    """Of the speed, 95%."""
    share: float
    """Of the log of the whole speedup; they add up to 1."""


class DroppedEdits(Record):
    """A group of edits that the patch held and holds no more."""

    rule_ids: tuple[str, ...]
    fields: tuple[str, ...]
    verdict: Literal["failed", "slower"]
    """Of the patch that held them."""
    reason: str


class Attribution(Record):
    """Edits that belong together are one group; groups are added in the order of the patch."""

    provenance: Provenance
    runs: tuple[StagedRun, ...] = ()
    shares: tuple[EditShare, ...] = ()
    """Where the patch is faster and the budget sufficed."""
    dropped: tuple[DroppedEdits, ...] = ()
    told: str = ""
    """All of it in plain sentences, also why something was not found out."""
    seconds: float = 0.0
