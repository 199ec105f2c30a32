"""The worker as its parent sees it: orders go in, events come out, `end` leaves nothing behind."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from audit.records.errors import RunFailed
from runner.processes import end_group

ROOT = Path(__file__).resolve().parents[1]
Event = dict[str, Any]


class WorkerGone(RunFailed):
    """The worker ended without a result."""


class WorkerProcess:
    """One `python -m runner.worker`, in a process group of its own."""

    def __init__(self, python: str = sys.executable) -> None:
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._errors: list[str] = []
        self._process = subprocess.Popen(
            [python, "-m", "runner.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        _follow(self._process.stdout, self._take, lambda: self._events.put(None))
        _follow(self._process.stderr, self._keep_error, lambda: None)

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take an order."""
        return self._process.poll() is None

    def send(self, order: Event) -> None:
        """Give it one order; raises WorkerGone where nobody reads."""
        try:
            if self._process.stdin is None:
                raise BrokenPipeError
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerGone(self._why()) from None

    def events(self, seconds: float, over: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Its events until the last one of an order (`result`, `probe`, `error`).

        Raises:
            WorkerGone: it ended before, or said nothing final within `seconds` and was ended.
        """
        end = time.monotonic() + seconds
        while not over():
            try:
                event = self._events.get(timeout=0.2)
            except queue.Empty:
                if time.monotonic() > end:
                    self.end()
                    message = f"ended at its limit of {seconds:.0f} s"
                    raise WorkerGone(message) from None
                continue
            if event is None:
                raise WorkerGone(self._why())
            yield event
            if event.get("event") in ("result", "probe", "error"):
                return

    def end(self) -> None:
        """End it and all that it started."""
        end_group(self._process)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None and stream is self._process.stdin:
                try:
                    stream.close()
                except OSError:
                    continue

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return  # no line of ours
        if isinstance(event, dict):
            self._events.put(event)

    def _keep_error(self, line: str) -> None:
        self._errors = [*self._errors[-20:], line.rstrip()]

    def _why(self) -> str:
        from runner.worker.plain import plain_line

        told = next((line for line in reversed(self._errors) if line and line[0] != " "), "")
        return f"the worker is gone: {plain_line(told)}" if told else "the worker is gone"


def _follow(stream: IO[str] | None, take: Callable[[str], None], end: Callable[[], None]) -> None:
    def read() -> None:
        for line in stream or ():
            take(line)
        if stream is not None:
            stream.close()
        end()

    threading.Thread(target=read, daemon=True).start()
