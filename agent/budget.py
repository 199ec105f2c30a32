"""What an audit's model may use: turns, calls, tokens, money, time; one place that counts them all.

Where one is used up, the model's part ends and the rules finish. Money counts only where the
operator stated the price; otherwise it is unknown, which is not 0.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.money.ledger import Ledger
    from agent.money.purse import Purse

MAX_CALLS = 60
MAX_TOKENS = 200_000
"""Input and output together; an audit of seven calls takes about 40,000."""
MAX_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be used."""

    turns: int
    calls: int = MAX_CALLS
    tokens: int = MAX_TOKENS
    seconds: float = MAX_SECONDS
    usd: float | None = None
    """None: no limit, or no price."""


class Budget:
    """Counts what is used."""

    def __init__(
        self,
        limits: Limits,
        purse: Purse | None = None,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self.purse, self._ledger = limits, purse, ledger
        self.turns = self.calls = self.tokens = 0
        self.usd = 0.0
        self._clock, self._start = clock, clock()
        self._counting = threading.Lock()

    def spend(self, tokens: int, usd: float | None) -> None:
        """Count the tokens of one answer, used or lost."""
        with self._counting:  # researches count beside each other
            self.tokens += tokens
            self.usd += usd or 0.0
        if self.purse is not None:
            self.purse.spend(tokens, usd)

    def seconds_left(self) -> float:
        """Wall time that is left, not below 0."""
        return max(0.0, self.limits.seconds - (self._clock() - self._start))

    def used_up(self) -> str:
        """What is used up, in words; "" while all of it lasts."""
        limits = self.limits
        if self.turns >= limits.turns:
            return f"its {limits.turns} turns are used up"
        if self.calls >= limits.calls:
            return f"its {limits.calls} calls are used up"
        return self.spent()

    def spent(self) -> str:
        """What of tokens, money and time is used up, in words; a sub-agent stops at these too."""
        limits = self.limits
        if self.tokens >= limits.tokens:
            return f"its {limits.tokens:,} tokens are used up"
        if limits.usd is not None and self.usd >= limits.usd:
            return f"its {limits.usd:g} dollars are used up"
        if not self.seconds_left():
            return f"its {limits.seconds:g} seconds are used up"
        together = self._ledger.used_up() if self._ledger is not None else ""
        return together or (self.purse.used_up() if self.purse is not None else "")
