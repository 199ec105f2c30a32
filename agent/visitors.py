"""How much one visitor may ask of a public server: audits under way, and audits per hour.

Who a visitor is, the page and the API say (`ui/visitor.py`); at home there is one and no limit.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from agent.settings import Settings
from audit.export.numbers import count
from audit.records.errors import UserError

HOUR = 3600.0
MAX_KNOWN = 10_000
"""Visitors whose starts are remembered; the longest unseen go first."""
AT_HOME = "Or run GPU Goblin on your own machine, where there is no limit."


class Allowance:
    """Counts what each visitor has under way and has started. Safe to use from many threads."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_at_once = settings.visitor_audits
        self._most_per_hour = settings.visitor_per_hour
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._starts: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, visitor: str) -> None:
        """Count one start.

        Raises:
            UserError: the visitor has reached a limit; says which, and when to come back.
        """
        with self._lock:
            starts, now = self._recent(visitor), self._clock()
            if self._most_at_once and self._under_way[visitor] >= self._most_at_once:
                message = f"you have {count(self._under_way[visitor], 'audit')} under way here"
                raise UserError(message, remedy=f"Wait until one ends, or cancel one. {AT_HOME}")
            if self._most_per_hour and len(starts) >= self._most_per_hour:
                minutes = count(max(1, round((starts[0] + HOUR - now) / 60)), "minute")
                message = f"you have started {count(len(starts), 'audit')} within the hour"
                raise UserError(message, remedy=f"Come back in {minutes}. {AT_HOME}")
            self._under_way[visitor] += 1
            if self._most_per_hour:
                starts.append(now)

    def end(self, visitor: str) -> None:
        """One of the visitor's audits is over."""
        with self._lock:
            self._under_way[visitor] -= 1
            if self._under_way[visitor] <= 0:
                del self._under_way[visitor]

    def _recent(self, visitor: str) -> deque[float]:
        """The visitor's starts of the last hour."""
        starts = self._starts.setdefault(visitor, deque())
        self._starts.move_to_end(visitor)
        while starts and starts[0] <= self._clock() - HOUR:
            starts.popleft()
        while len(self._starts) > MAX_KNOWN:
            self._starts.popitem(last=False)
        return starts
