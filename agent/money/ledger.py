"""The money of one audit: a cap, what is reserved, what is spent; warnings at each doubling.

Nothing billable starts before its price is reserved, so that two runs that each fit under the cap
never overspend it together. A reservation ends released (nothing was billed) or reconciled (what
was billed; where that is not known, the estimate stays).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

Payer = Literal["model", "runner"]
FIRST_WARNING = 5.0
"""Dollars; the next warnings come at 10, 20, 40, ..."""


class OverCap(Exception):
    """A reservation would overspend the cap; the text says by how much."""


class Ledger:
    """Counts dollars. Safe to use from many threads."""

    def __init__(self, cap: float | None = None) -> None:
        self.cap = cap
        """Dollars that all runs and the model may cost together; None: no cap was stated."""
        self._lock = threading.Lock()
        self._spent: dict[Payer, float] = {"model": 0.0, "runner": 0.0}
        self._reserved: dict[str, float] = {}
        self._warn_at = FIRST_WARNING
        self.told: Callable[[float], object] | None = None
        """Called with each step of `warning` as soon as it is reached."""

    def reserve(self, run: str, usd: float) -> None:
        """Set `usd` aside for a run.

        Raises:
            OverCap: spent and reserved money leave less than that.
            ValueError: the run has a reservation already.
        """
        with self._lock:
            if run in self._reserved:
                message = f"{run} is reserved already"
                raise ValueError(message)
            left = self._left()
            if left is not None and usd > left:
                message = f"it may cost ${usd:.2f}, and ${left:.2f} of ${self.cap:g} are left"
                raise OverCap(message)
            self._reserved[run] = usd

    def release(self, run: str) -> None:
        """Nothing of the run was billed; a run without a reservation changes nothing."""
        with self._lock:
            self._reserved.pop(run, None)

    def reconcile(self, run: str, billed: float | None) -> float:
        """The run has ended: what it cost is spent, the estimate for None; returns that."""
        with self._lock:
            estimate = self._reserved.pop(run, 0.0)
            usd = estimate if billed is None else billed
            self._spent["runner"] += usd
        self._tell()
        return usd

    def spend(self, payer: Payer, usd: float) -> None:
        """Money that is gone without a reservation, such as a model's answer."""
        with self._lock:
            self._spent[payer] += usd
        self._tell()

    def _tell(self) -> None:
        step = self.warning() if self.told else None
        if step is not None and self.told is not None:
            self.told(step)

    def warning(self) -> float | None:
        """The highest step of 5, 10, 20, ... dollars reached since the last call; else None."""
        with self._lock:
            total, reached = sum(self._spent.values()), None
            while total >= self._warn_at:
                reached, self._warn_at = self._warn_at, self._warn_at * 2
            return reached

    def used_up(self) -> str:
        """The cap in words where spent and reserved money have reached it; else ""."""
        with self._lock:
            left = self._left()
            return (
                "" if left is None or left > 0 else f"the audit's {self.cap:g} dollars are used up"
            )

    @property
    def spent(self) -> float:
        """Dollars that are gone, of model and runner together."""
        with self._lock:
            return sum(self._spent.values())

    @property
    def reserved(self) -> float:
        """Dollars set aside for runs that have not ended."""
        with self._lock:
            return sum(self._reserved.values())

    def _left(self) -> float | None:
        if self.cap is None:
            return None
        return self.cap - sum(self._spent.values()) - sum(self._reserved.values())
