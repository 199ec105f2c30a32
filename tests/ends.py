"""A guard against work without end: far above what it takes, so no measure of a machine's speed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ends(within: float = 60.0) -> Iterator[None]:
    """Fail when the block is still running after `within` seconds.

    How fast something is, is for benchmarks/; here it only has to come to an end.
    """

    def stop(_: int, __: FrameType | None) -> None:
        message = f"still running after {within:g} s"
        raise AssertionError(message)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, within)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
