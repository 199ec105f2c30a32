"""What a run tells while it runs, from the queue that its own thread fills."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Queue

from runner.protocol import Progress

LOOK_EVERY = 0.5
"""Seconds after which the reader may look around though nothing is new."""


def until_end(news: Queue[Progress | None]) -> Iterator[Progress]:
    """The progress until None ends it; an empty text in between where nothing is new."""
    while True:
        try:
            told = news.get(timeout=LOOK_EVERY)
        except Empty:
            yield Progress("")
            continue
        if told is None:
            return
        yield told
