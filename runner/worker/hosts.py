"""Starts the processes that hold torch, asks them one command at a time, and knows how they died.

One host serves both arms where they may share a process; arms that see different variables get one
host each. With several ranks a host is a torchrun group whose rank 0 answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from audit.records.measured import ArmFailure
from runner.processes import descendants, end_family
from runner.worker.plain import plain_line

ROOT = Path(__file__).resolve().parents[2]
_SECRET = re.compile(r"TOKEN(?!IZERS)|KEY|SECRET|PASSW|CREDENTIAL|^GOBLIN_|^ANTHROPIC_|^AWS_|^SSH_")
GRACE = 3.0
"""Seconds that a process gets to end by itself."""


class HostLost(Exception):
    """The process is gone or gave no answer in time; nothing more comes from its arms."""

    def __init__(self, failure: ArmFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def environment(own: Mapping[str, str], others: Iterable[str]) -> dict[str, str]:
    """The variables of a host: the operator's without secrets, then those of its own arm.

    `others`: names that only the other arm sets; they are taken out.
    """
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    for name in others:
        kept.pop(name, None)
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    return {**kept, "TOKENIZERS_PARALLELISM": "false", **offline, **own}


class HostProcess:
    """One host, alive until `close`."""

    def __init__(
        self, own: Mapping[str, str], others: Iterable[str], ranks: int, memory_gb: float | None
    ) -> None:
        self.wants = (dict(own), ranks, memory_gb)
        words = [sys.executable]
        if ranks > 1:
            words += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        words += ["-m", "runner.worker.host"]
        if memory_gb:
            words += ["--memory-bytes", str(int(memory_gb * 1e9))]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=ROOT,
            env=environment(own, others),
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._readers: list[threading.Thread] = []
        self._follow(self._process.stdout, self._lines.put, ends=True)
        self._follow(self._process.stderr, self._keep_error, ends=False)

    def _follow(self, stream: IO[str] | None, keep: Any, *, ends: bool) -> None:
        def read() -> None:
            for line in stream or ():
                keep(line)
            if stream is not None:
                stream.close()
            if ends:
                keep(None)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self._readers.append(reader)

    def _keep_error(self, line: str) -> None:
        self._errors = [*self._errors[-20:], line.rstrip()]

    def ask(self, seconds: float, **command: Any) -> dict[str, Any]:
        """The answer to one command.

        Raises:
            HostLost: the process died, or did not answer within `seconds` and was ended.
        """
        stdin = self._process.stdin
        try:
            if stdin is None:
                raise BrokenPipeError
            stdin.write(json.dumps(command) + "\n")
            stdin.flush()
            line = self._lines.get(timeout=max(0.1, seconds))
        except queue.Empty:
            self.close()
            message = f"no answer within {seconds:.0f} s; the process was ended"
            raise HostLost(ArmFailure(kind="time_limit", message=message)) from None
        except (OSError, ValueError):  # ValueError: closed, since it was lost before
            line = None
        if line is None:
            raise HostLost(self._death())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _death(self) -> ArmFailure:
        try:
            code = self._process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            self.close()
            return ArmFailure(kind="killed", message="the process stopped answering")
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
            return ArmFailure(kind="killed", message=f"the process was ended by {name}{hint}")
        told = next(
            (one for one in reversed(self._errors) if re.match(r"\w*(Error|Exception)", one)), ""
        )
        message = f"the process ended with status {code}" + (
            f": {plain_line(told)}" if told else ""
        )
        return ArmFailure(kind="exception", message=message)

    def close(self) -> None:
        """End the process with all that it started, and wait for them.

        torchrun, loaders and compilers have processes of their own, some in sessions of their own.
        """
        family = descendants(self._process.pid)
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        end = time.monotonic() + GRACE
        while self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        end_family(self._process, family)
        for reader in self._readers:
            reader.join(timeout=GRACE)


class Hosts:
    """The hosts of one job; they stay for the next one where it wants the same variables."""

    def __init__(self) -> None:
        self._kept: dict[str, HostProcess] = {}

    def serve(
        self, envs: Mapping[str, Mapping[str, str]], ranks: int, memory_gb: float | None
    ) -> dict[str, HostProcess]:
        """Arm -> its host: one for all where all see the same variables."""
        together = len({tuple(sorted(env.items())) for env in envs.values()}) == 1
        names = {name for env in envs.values() for name in env}
        wanted: dict[str, HostProcess] = {}
        for arm, env in envs.items():
            place = "all" if together else arm
            kept = self._kept.get(place)
            if kept is not None and kept.wants != (dict(env), ranks, memory_gb):
                self._kept.pop(place).close()
                kept = None
            if kept is None:
                kept = HostProcess(env, names - set(env), ranks, memory_gb)
                self._kept[place] = kept
            wanted[arm] = kept
        return wanted

    def forget(self, lost: HostProcess) -> None:
        """A host that is gone is not asked again."""
        lost.close()
        self._kept = {place: host for place, host in self._kept.items() if host is not lost}

    def close(self) -> None:
        """End all."""
        for host in self._kept.values():
            host.close()
        self._kept.clear()
