"""Watches over one stage from a thread beside it: a cancel or too long a time stops it from inside.

The stages look at the stop sign between their steps; a step that hangs does not. Python can raise
an exception in another thread at its next instruction, which ends a loop but no call into C code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audit.records.errors import Cancelled, RunFailed

LOOK_EVERY = 0.1
"""Seconds between two looks at the stop sign."""
AGAIN_AFTER = 15.0
"""Seconds until a block that still runs is stopped again: an exception that arrives inside a
destructor is printed there and lost. Long enough for a block that is cleaning up."""


class TookTooLong(RunFailed):
    """A stage was stopped because its time was over."""


def _late(seconds: float) -> type[TookTooLong]:
    class Late(TookTooLong):
        def __init__(self) -> None:
            super().__init__(f"it took longer than {seconds:g} s")

    return Late


@contextmanager
def watched(seconds: float, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Stop the block, in this thread, when its time is over or the owner cancels.

    Raises:
        TookTooLong: it ran for longer than `seconds`.
        Cancelled: the owner cancelled.
    """
    guard, over = threading.Lock(), threading.Event()
    mine, fired, end = threading.get_ident(), [False], time.monotonic() + seconds

    def look() -> None:
        pause = LOOK_EVERY
        while not over.wait(pause):
            late = time.monotonic() > end
            if not late and not cancelled():
                continue
            with guard:
                if not over.is_set():
                    fired[0] = True
                    _raise_in(mine, _late(seconds) if late else Cancelled)
            pause = AGAIN_AFTER

    threading.Thread(target=look, name="watch", daemon=True).start()
    try:
        yield
    finally:
        with guard:
            over.set()
            if fired[0]:
                _raise_in(mine, None)  # one that has not come yet must not come later


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in another thread, or take back one that was not delivered yet."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(error) if error else None
    )
