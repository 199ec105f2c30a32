"""Names why an arm stopped: out of memory at a step, or an exception's class and first line."""

from __future__ import annotations

import re

import torch

from audit.records.measured import ArmFailure
from runner.worker.plain import plain_line

_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.I)


def failure_of(error: BaseException, step: int | None) -> ArmFailure:
    """The failure as a record; `step` is the index of the step under way, None: none was."""
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(
        _MEMORY.search(str(error))
    )
    return ArmFailure(
        kind="out_of_memory" if memory else "exception",
        step=step,
        exception=type(error).__name__,
        message=plain_line(str(error)),
    )
