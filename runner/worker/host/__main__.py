"""The host's loop: one command per line in, one answer per line out, until standard input ends.

Started by `runner.worker.hosts`, alone or through torchrun; then rank 0 reads and shares every
command. Answers go to the standard output that the process was given; whatever a library prints
goes to standard error instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import torch

from audit.records.measured import ArmFailure
from audit.records.translated import Translation
from runner.worker.host.arm import ArmRun, build_arm, set_matmul
from runner.worker.host.compiled import forget_compiled
from runner.worker.host.device import Device, local_rank
from runner.worker.host.failures import failure_of
from runner.worker.host.machine import describe, probe
from runner.worker.host.model import flops_per_token
from runner.worker.host.observe import watch_step
from runner.worker.host.profiled import profile_step
from runner.worker.host.ranks import Ranks, layers_of
from runner.worker.host.readback import read_after, read_back

Answer = dict[str, Any]


class Failed(Exception):
    """A command failed; the arm's failure is the answer."""

    def __init__(self, failure: ArmFailure, rows: list[Any]) -> None:
        self.failure, self.rows = failure, rows
        super().__init__(failure.message)


class Host:
    """The arms of one job."""

    def __init__(self) -> None:
        self.device = Device(local_rank())
        self.ranks = Ranks(self.device)
        self.runs: dict[str, ArmRun] = {}
        self.translation: Translation | None = None
        self.seed = 0

    def answer(self, command: dict[str, Any]) -> Answer:
        """Do one command."""
        name = str(command.pop("do"))
        table: dict[str, Callable[..., Answer]] = {
            "hello": self.hello, "probe": self.probe, "build": self.build, "steps": self.steps,
            "watch": self.watch, "review": self.review, "profile": self.profile,
            "drop": self.drop,
        }  # fmt: skip
        return table[name](**command)

    def hello(self) -> Answer:
        """Who is here."""
        return {"manifest": describe(self.device, self.ranks.count, self.seed).model_dump()}

    def probe(self) -> Answer:
        """How fast this device multiplies, TFLOP/s per dtype."""
        return {"rates": probe(self.device)}

    def build(self, translation: dict[str, Any], arm: str, seed: int) -> Answer:
        """Build one arm."""
        self.translation, self.seed = Translation.model_validate(translation), seed
        wanted = next(one for one in self.translation.arms if one.name == arm)
        with _failing(None):
            run = build_arm(self.translation, wanted, self.device, self.ranks, seed)
        self.runs[arm] = run
        weights = list(run.model.parameters())
        return {
            "parameters": sum(one.numel() for one in weights),
            "trained_parameters": sum(one.numel() for one in weights if one.requires_grad),
            "flops_per_token": flops_per_token(
                run.model, self.translation.shape, wanted.recipe.max_length
            ),
        }

    def steps(self, arm: str, round_: int, place: int, count: int) -> Answer:
        """Take some steps of one arm."""
        run, others = self._ready(arm)
        rows: list[Any] = []
        for _ in range(count):
            torch.manual_seed(self.seed + run.index)
            with _failing(run.index, rows):
                rows.append(run.step(round_, place, others).model_dump())
        return {"rows": rows}

    def watch(self, arm: str) -> Answer:
        """Take one step that is watched, and read every setting back."""
        run, others = self._ready(arm)
        torch.manual_seed(self.seed + run.index)
        hidden = run.recipe.compiled or (self.ranks.count > 1 and run.recipe.sharding == "fsdp")
        with _failing(run.index):
            layers = layers_of(run.model)
            seen, row = watch_step(
                run.model, layers, lambda: run.step(-1, 0, others), hidden=hidden
            )
            back = read_back(run, seen)
        counted = seen.peak_bytes / 1e9 if seen.peak_bytes and not self.device.gpu else None
        return {
            "rows": [row.model_dump()],
            "readback": [one.model_dump() for one in back],
            "counted_gb": counted,
        }

    def review(self, arm: str) -> Answer:
        """Read back what only shows after many steps."""
        return {"readback": [one.model_dump() for one in read_after(self.runs[arm])]}

    def profile(self, arm: str) -> Answer:
        """Profile one step."""
        run, others = self._ready(arm)
        with _failing(run.index):
            parts = profile_step(run, others)
        return {"parts": [part.model_dump() for part in parts]}

    def drop(self) -> Answer:
        """Let go of all arms."""
        for run in self.runs.values():
            run.close()
        self.runs.clear()
        forget_compiled()
        if self.device.gpu:
            torch.cuda.empty_cache()
        return {}

    def _ready(self, arm: str) -> tuple[ArmRun, int]:
        """The arm, with the switches of the process set as it wants, and what the others hold."""
        run = self.runs[arm]
        set_matmul(run.recipe)
        others = 0
        if self.device.gpu:
            others = sum(other.held() for name, other in self.runs.items() if name != arm)
        return run, others


@contextmanager
def _failing(step: int | None, rows: list[Any] | None = None) -> Iterator[None]:
    """Turn whatever an arm raises into its failure: a crash is a result."""
    try:
        yield
    except Exception as error:
        raise Failed(failure_of(error, step), rows or []) from error


def serve(commands: TextIO, answers: TextIO) -> None:
    """Answer until the commands end."""
    host = Host()
    while True:
        line = host.ranks.share(commands.readline() if host.ranks.rank == 0 else None)
        if not line.strip():
            break
        try:
            answer = host.answer(json.loads(line))
        except Failed as failed:
            answer = {"failed": failed.failure.model_dump(), "rows": failed.rows}
        if host.ranks.rank == 0 or "failed" in answer:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        if "failed" in answer and host.ranks.count > 1:
            sys.exit(1)  # the other ranks wait in a collective: torchrun ends them all
    host.drop()
    host.ranks.close()


def limit_memory(count: int) -> None:
    """Let the process take `count` private bytes at most; a lower limit that it has stays."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (count, count))


def main() -> None:
    """Keep the given standard output for answers alone, then serve."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="python -m runner.worker.host", description=__doc__)
    parser.add_argument("--memory-bytes", type=int, help="private memory that the process may take")
    given = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if not torch.cuda.is_available():
        torch.set_num_threads(1)  # CPU time then counts the arm's work and nothing else
        if given.memory_bytes:
            limit_memory(given.memory_bytes)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
