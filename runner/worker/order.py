"""What the worker is told to do: one job, as JSON on standard input or in a file."""

from __future__ import annotations

from audit.records.base import Record
from audit.records.spec import Stop
from audit.records.translated import Translation


class Order(Record):
    """Measure the arms of one translation."""

    translation: Translation
    steps: int
    """Timed optimizer steps per arm, at most."""
    seed: int = 0
    ranks: int = 1
    """Processes of one arm: cards, or gloo processes on a CPU."""
    profile: bool = False
    stop: Stop = Stop()
    limit_s: float = 600.0
    """Wall time of the whole job; past it the job is ended and what it measured is kept."""
    memory_gb: float | None = None
    """Private memory of one process on a CPU; None: no limit."""
