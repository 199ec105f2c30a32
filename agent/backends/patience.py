"""Asks a model's server again where that can help: waits as told, gives way to a cancel at once.

Only whole turns are asked again, and no tool runs before a turn is whole, so nothing runs twice.
The same server and the same model are asked; another paid resource never.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.backends import Desk, Turn, Usage
from agent.backends.faults import RETRIED, BackendFault
from audit.records.errors import Cancelled
from audit.records.events import LogData, TurnResetData, UsageData, UsageKind

MAX_TRIES = 4
MAX_BROKEN = 2
"""Tries for an answer that broke off or stalled: a server that does so twice does so again."""
MAX_WAIT, MAX_WAITS = 60.0, 120.0
"""Seconds of one wait, and of all waits of one turn."""
FIRST_WAIT = 0.5
LOOK_EVERY = 0.05
"""Seconds between two looks at the cancel."""


@dataclass(slots=True)
class Patience:
    """Asks for one turn; `sleep` is replaced where a test would wait."""

    desk: Desk
    sleep: Callable[[float], Awaitable[None]] | None = None
    waited: list[float] = field(default_factory=list)
    """Seconds of every wait of the audit."""

    async def ask(self, attempt: Callable[[], Awaitable[Turn]]) -> Turn:
        """The turn of the first attempt that succeeds.

        Raises:
            BackendFault: it cannot help to ask again, or it did not.
            Cancelled: the owner cancelled.
        """
        tries, waits = 0, 0.0
        while True:
            tries += 1
            try:
                return await self._watched(attempt)
            except BackendFault as fault:
                self._tell(fault)
                limit = (
                    MAX_BROKEN if fault.kind in ("broken", "stalled", "unreachable") else MAX_TRIES
                )
                wait = _wait(fault, tries)
                out = wait > self.desk.seconds_left() or waits + wait > MAX_WAITS
                if fault.kind not in RETRIED or tries >= limit or out:
                    raise
                self.desk.record(LogData(text=f"{_sentence(fault)} Asks again in {wait:.1f} s."))
            waits += wait
            self.waited.append(wait)
            await self._pause(wait)

    def _tell(self, fault: BackendFault) -> None:
        """What the lost answer cost, and that its text is void."""
        if fault.usage is not None:
            self.desk.record(usage_data(fault.usage, self.desk.kind))
        if fault.began:
            self.desk.record(TurnResetData(reason=str(fault)))

    async def _watched(self, attempt: Callable[[], Awaitable[Turn]]) -> Turn:
        """One attempt, stopped by a cancel or at the end of the time."""
        from asyncio import ensure_future, wait

        task = ensure_future(attempt())
        end = time.monotonic() + self.desk.seconds_left()
        try:
            while True:
                done, _ = await wait({task}, timeout=LOOK_EVERY)
                if done:
                    return task.result()
                self._look()
                if time.monotonic() > end:
                    raise BackendFault(kind="time")
        finally:
            if not task.done():
                task.cancel()
                await wait({task})

    async def _pause(self, seconds: float) -> None:
        if self.sleep is not None:
            await self.sleep(seconds)
            return
        from asyncio import sleep

        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._look()
            await sleep(min(left, LOOK_EVERY))

    def _look(self) -> None:
        if self.desk.cancelled():
            raise Cancelled


def usage_data(used: Usage, kind: UsageKind = "loop") -> UsageData:
    """The event of what one answer used."""
    return UsageData(
        kind=kind,
        model=used.model,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        usd=used.usd,
    )


def _wait(fault: BackendFault, tries: int) -> float:
    if fault.retry_after is not None:
        return min(max(fault.retry_after, 0.0), MAX_WAIT)
    return float(min(FIRST_WAIT * 2 ** (tries - 1), 8.0))


def _sentence(fault: BackendFault) -> str:
    text = str(fault)
    return f"{text[0].upper()}{text[1:]}."
