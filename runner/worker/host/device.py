"""The device of an arm, cpu or a CUDA or ROCm card: how its clock and its memory are read.

ROCm answers to torch's `cuda` names. Without a GPU the card's branches cannot run; the docs say on
which machines they did.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Literal

import torch

from audit.records.measured import Peak

Kind = Literal["cpu", "cuda", "rocm"]
GB = 1e9
_HIGH_WATER = re.compile(r"VmHWM:\s+(\d+) kB")


class Device:
    """Where tensors live. `index` is the local rank on a machine with several cards."""

    def __init__(self, index: int = 0) -> None:
        self.kind: Kind = "cpu"
        self.torch = torch.device("cpu")
        if torch.cuda.is_available():
            self.kind = "rocm" if torch.version.hip else "cuda"
            torch.cuda.set_device(index)
            self.torch = torch.device("cuda", index)

    @property
    def gpu(self) -> bool:
        """Whether it is a card."""
        return self.kind != "cpu"

    @property
    def name(self) -> str:
        """`cpu`, or the card's name."""
        return torch.cuda.get_device_name(self.torch) if self.gpu else "cpu"

    @property
    def type(self) -> str:
        """Torch's word for it, as autocast wants it."""
        return self.torch.type

    def wait(self) -> None:
        """Let everything that was launched finish, so that a clock means something."""
        if self.gpu:
            torch.cuda.synchronize(self.torch)

    def now(self) -> float:
        """Seconds, after everything launched has finished."""
        self.wait()
        return time.perf_counter()

    def start_peak(self) -> None:
        """Begin a new high-water mark."""
        if self.gpu:
            torch.cuda.reset_peak_memory_stats(self.torch)
            return
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # man proc_pid_clear_refs: resets VmHWM

    def peak(self, held_by_others: int = 0) -> Peak:
        """High-water marks since `start_peak`; `held_by_others` bytes are taken off `allocated`."""
        if not self.gpu:
            return Peak(resident=_resident())
        free, total = torch.cuda.mem_get_info(self.torch)
        allocated = torch.cuda.max_memory_allocated(self.torch) - held_by_others
        return Peak(
            allocated=allocated / GB,
            reserved=torch.cuda.max_memory_reserved(self.torch) / GB,
            device=(total - free) / GB,
        )


def _resident() -> float | None:
    """Highest resident memory of this process; None where the kernel does not tell."""
    try:
        found = _HIGH_WATER.search(Path("/proc/self/status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 / GB if found else None


def local_rank() -> int:
    """The rank on this machine, as torchrun says it; 0 alone."""
    return int(os.environ.get("LOCAL_RANK", "0"))
