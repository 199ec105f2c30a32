"""Wakes those who read along with one audit when something was added to it, and nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class News:
    """Who waits for which audit. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[str, set[threading.Event]] = {}

    @contextmanager
    def watched(self, audit_id: str) -> Iterator[threading.Event]:
        """An event that is set whenever `tell` is called for this audit; the reader clears it."""
        news = threading.Event()
        with self._lock:
            self._readers.setdefault(audit_id, set()).add(news)
        try:
            yield news
        finally:
            with self._lock:
                here = self._readers[audit_id]
                here.discard(news)
                if not here:
                    del self._readers[audit_id]

    def tell(self, audit_id: str) -> None:
        """Something was added to this audit, or it is gone."""
        with self._lock:
            for news in self._readers.get(audit_id, ()):
                news.set()
