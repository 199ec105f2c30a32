"""Whose audit runs next: few run at once, and turns go round the visitors, not down one queue.

A visitor with twenty audits waiting and one with a single audit each get their turn: the next one
belongs to whoever has the fewest running, then to whoever was served longest ago.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Room for `room` audits at once. Safe to use from many threads."""

    def __init__(self, room: int) -> None:
        self._news = threading.Condition()
        self._room = room
        self._waiting: dict[str, deque[object]] = {}
        self._granted: set[object] = set()
        self._running: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        self._count = 0

    @contextmanager
    def taken(self, visitor: str, gone: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a turn and hold it; False, at once, where `gone` says that nobody needs it."""
        ticket = object()
        with self._news:
            self._waiting.setdefault(visitor, deque()).append(ticket)
            self._grant()
            while ticket not in self._granted and not gone():
                self._news.wait(timeout=5.0)
            mine = ticket in self._granted
            self._granted.discard(ticket)
            if not mine:
                self._withdraw(visitor, ticket)
        try:
            yield mine
        finally:
            if mine:
                self._give_back(visitor)

    def wake(self) -> None:
        """Make everyone who waits look again whether they are still needed."""
        with self._news:
            self._news.notify_all()

    def waiting(self) -> int:
        """How many wait now, over all visitors."""
        with self._news:
            return sum(len(line) for line in self._waiting.values())

    def _give_back(self, visitor: str) -> None:
        with self._news:
            self._room += 1
            self._running[visitor] -= 1
            if not self._running[visitor]:
                del self._running[visitor]
            self._grant()

    def _withdraw(self, visitor: str, ticket: object) -> None:
        line = self._waiting[visitor]
        line.remove(ticket)
        if not line:
            del self._waiting[visitor]

    def _grant(self) -> None:
        """Give out the free turns; called with the lock held."""
        while self._room > 0 and self._waiting:
            visitor = min(
                self._waiting, key=lambda name: (self._running[name], self._served.get(name, 0))
            )
            line = self._waiting[visitor]
            self._granted.add(line.popleft())
            if not line:
                del self._waiting[visitor]
            self._room -= 1
            self._running[visitor] += 1
            self._count += 1
            self._served[visitor] = self._count
            if len(self._served) > 1000:
                busy = self._waiting.keys() | self._running.keys()
                self._served = {name: self._served[name] for name in busy & self._served.keys()}
        self._news.notify_all()
