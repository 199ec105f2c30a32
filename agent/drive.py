"""Drives the loop from ordinary code, step by step; an event loop starts only if a backend waits.

The rules answer at once. Stepping the generator by hand saves importing asyncio: 45 ms of CPU of a
command that may take 480 in all. A backend that waits for a server wraps its coroutine in `Wait`,
and only then an event loop is made, one for the whole audit, closed at its end.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from asyncio import Runner

Item = TypeVar("Item")


class Wait(Generic[Item]):
    """A coroutine that needs an event loop: the running one, or one that `drive` makes."""

    def __init__(self, coroutine: Coroutine[Any, Any, Item]) -> None:
        self.coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Item]:
        """Hand the coroutine to whoever drives."""
        if _loop_runs():
            return (yield from self.coroutine.__await__())
        found: Item = yield self
        return found


def drive(items: AsyncIterator[Item]) -> Iterator[Item]:
    """The items of an async generator, one by one, in this thread.

    Raises:
        RuntimeError: something in it waits for a clock or a socket outside of `Wait`.
    """
    loops: list[Runner] = []
    try:
        while True:
            try:
                item = _finished(items.__anext__(), loops)
            except StopAsyncIteration:
                return
            yield item
    finally:
        try:
            if isinstance(items, AsyncGenerator):
                _finished(items.aclose(), loops)
        finally:
            for runner in loops:
                runner.close()


def _finished(step: Awaitable[Item], loops: list[Runner]) -> Item:
    """The outcome of one step, its waits served."""
    running = step.__await__()
    try:
        asked = next(running)
        while True:
            try:
                found = _served(asked, loops)
            except BaseException as error:
                asked = running.throw(error)
            else:
                asked = running.send(found)
    except StopIteration as done:
        outcome: Item = done.value
        return outcome


def _served(asked: object, loops: list[Runner]) -> object:
    if not isinstance(asked, Wait):
        message = "the backend waits outside of agent.drive.Wait"
        raise RuntimeError(message)
    return _runner(loops).run(asked.coroutine)


def _runner(loops: list[Runner]) -> Runner:
    if not loops:
        from asyncio import Runner

        loops.append(Runner())
    return loops[0]


def _loop_runs() -> bool:
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None
