"""Brings finished audits to the archive in the background, and back into the log when asked for.

A write that fails never touches the audit: it is tried again, logged, and told to who asks.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from agent.settings import Settings
from audit.log.archive import Archive, ArchiveFault, open_archive
from audit.log.archived import read_archived
from audit.log.faults import record_fault
from audit.log.ids import SHAPE
from audit.log.store import Store
from audit.records.errors import SetupError, UnknownName

TRIES = 3
MISS_SECONDS, MAX_MISSES = 60.0, 1000
"""An id that the archive did not have is not asked for again so soon."""
MAX_ASKS = 120
"""Reads of the archive in a minute: nobody drives up its load with made-up ids."""
CLOSE_SECONDS = 30.0


class Archiving:
    """Between one log and one archive; a thread of its own writes. Safe to use from threads."""

    def __init__(self, store: Store, archive: Archive, folder: Path) -> None:
        self._store, self._archive, self._folder = store, archive, folder
        self._news = threading.Condition()
        self._todo: dict[str, int] = {}
        self._writing: set[str] = set()
        self._expected: set[str] = set()
        self._faults: OrderedDict[str, str] = OrderedDict()
        self._misses: OrderedDict[str, float] = OrderedDict()
        self._asks: list[float] = []
        self._forget_before: float | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="archive", daemon=True)
        self._thread.start()
        store.recall = self.recall

    def expect(self, audit_id: str) -> None:
        """This audit has begun, and is to be written when it has ended."""
        with self._news:
            self._expected.add(audit_id)

    def keep(self, audit_id: str) -> None:
        """Write this audit, which has ended, soon."""
        with self._news:
            self._expected.add(audit_id)
            self._todo[audit_id] = TRIES
            self._news.notify_all()

    def note(self, audit_id: str, wait: float = 0.0) -> str:
        """Why the audit is not in the archive, in words; empty where it is or will be."""
        end = time.monotonic() + wait
        with self._news:
            while audit_id in self._expected and audit_id not in self._faults:
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._news.wait(left)
            return self._faults.get(audit_id, "")

    def recall(self, audit_id: str) -> bool:
        """Bring an audit back into the log; False where the archive does not have it."""
        if not SHAPE.fullmatch(audit_id) or not self._may_ask(audit_id):
            return False
        try:
            data = self._archive.get(audit_id)
            if data is not None:
                self._store.restore(read_archived(audit_id, data))
                return True
        except ArchiveFault as error:
            self._tell(error)
        with self._news:
            self._misses[audit_id] = time.monotonic()
            while len(self._misses) > MAX_MISSES:
                self._misses.popitem(last=False)
        return False

    def delete(self, audit_id: str) -> None:
        """Remove an audit from the archive now; raises SetupError where that fails."""
        with self._news:
            self._todo.pop(audit_id, None)
            self._expected.discard(audit_id)
            while audit_id in self._writing:
                self._news.wait(1.0)
        try:
            self._archive.delete([audit_id])
        except ArchiveFault as error:
            raise SetupError(str(error), remedy="Nothing was deleted; try again later.") from error
        with self._news:
            self._misses[audit_id] = time.monotonic()

    def forget(self, before: float) -> None:
        """Delete files older than `before` (seconds since 1970), in the background."""
        with self._news:
            self._forget_before = before
            self._news.notify_all()

    def close(self) -> None:
        """Write what is left, then stop."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._thread.join(CLOSE_SECONDS)

    def _may_ask(self, audit_id: str) -> bool:
        now = time.monotonic()
        with self._news:
            self._asks = [moment for moment in self._asks if moment > now - 60]
            missed = self._misses.get(audit_id, -MISS_SECONDS)
            if now - missed < MISS_SECONDS or len(self._asks) >= MAX_ASKS:
                return False
            self._asks.append(now)
        return True

    def _work(self) -> None:
        while True:
            with self._news:
                while not (self._todo or self._closing or self._forget_before):
                    self._news.wait()
                todo, self._todo = self._todo, {}
                before, self._forget_before = self._forget_before, None
                self._writing = set(todo)
            self._do(todo, before)
            with self._news:
                self._writing = set()
                self._news.notify_all()
                if self._closing and not self._todo:
                    return
                self._rest()

    def _do(self, todo: dict[str, int], before: float | None) -> None:
        """One round; a fault of ours is kept with its trace, and the thread lives on."""
        try:
            if before is not None:
                self._forget(before)
            if todo:
                self._write(todo)
        except Exception as error:
            self._again(dict.fromkeys(todo, 0), record_fault(self._folder, "archive", error))

    def _rest(self) -> None:
        """The pause between two writes; closing ends it. Called with the lock held."""
        end = time.monotonic() + self._archive.pause
        while not self._closing and (left := end - time.monotonic()) > 0:
            self._news.wait(left)

    def _write(self, todo: dict[str, int]) -> None:
        files = {}
        for audit_id in todo:
            with suppress(UnknownName):  # deleted meanwhile
                files[audit_id] = self._store.archived(audit_id)
        with self._news:
            self._expected -= todo.keys() - files.keys()
        try:
            if files:
                self._archive.put(files)
        except ArchiveFault as error:
            self._tell(error)
            self._again({audit_id: todo[audit_id] - 1 for audit_id in files}, str(error))
        else:
            with self._news:
                self._expected -= files.keys()
                for audit_id in files:
                    self._faults.pop(audit_id, None)
                self._news.notify_all()

    def _again(self, left: dict[str, int], why: str) -> None:
        with self._news:
            for audit_id, tries in left.items():
                self._faults[audit_id] = why
                if tries > 0 and not self._closing:
                    self._todo.setdefault(audit_id, tries)
                else:
                    self._expected.discard(audit_id)
            while len(self._faults) > MAX_MISSES:
                self._faults.popitem(last=False)
            self._news.notify_all()
            if self._todo and not self._closing:
                self._news.wait(1.0)

    def _forget(self, before: float) -> None:
        try:
            old = self._archive.older(before)
            if old:
                self._archive.delete(old)
        except ArchiveFault as error:
            self._tell(error)

    def _tell(self, error: ArchiveFault) -> None:
        sys.stderr.write(f"goblin: {error}\n")
        sys.stderr.flush()


def open_archiving(settings: Settings, store: Store) -> Archiving | None:
    """The archiving that the operator set up; None without an archive."""
    if settings.archive is None:
        return None
    archive = open_archive(settings.archive, token=settings.models.hf_token, hub=settings.hub_url)
    return Archiving(store, archive, settings.data_dir)
