"""The figures of one benchmark arm. Only a runner makes them; a model never types one."""

from __future__ import annotations

from typing import Literal

from audit.records.base import ArmName, Interval, Provenance, Record
from audit.records.measured import MeasuredRun
from audit.records.profile import Part

MemoryKind = Literal["allocated", "reserved", "device", "resident"]
"""allocated: live tensors. reserved: what torch's allocator holds. device: what the card's driver
reports. resident: the whole process on a CPU."""


class Metrics(Record):
    """One arm of one benchmark. A failed arm has `failure` and no figures."""

    arm: ArmName
    workload: str
    """Fingerprint of the workload that ran or was projected."""
    runner: str
    provenance: Provenance
    anchored: bool = False
    """Projected, then scaled to a stated or measured step time."""
    hardware: str
    gpus: int
    nodes: int
    steps: int
    samples: int | None = None
    """Timed steps behind the figures; None when projected."""
    tokens_per_s_per_gpu: Interval | None = None
    """Real (not padding) tokens."""
    tokens_per_s: Interval | None = None
    samples_per_s: Interval | None = None
    step_s: Interval | None = None
    mfu: Interval | None = None
    """Model FLOPs of real tokens / peak dense FLOPs of the compute dtype, 0 to 1."""
    peak_memory_gb: Interval | None = None
    memory_kind: MemoryKind | None = None
    padding_efficiency: Interval | None = None
    gpu_busy: Interval | None = None
    breakdown: tuple[Part, ...] = ()
    """Seconds of one step, adding up to step_s.value."""
    memory: tuple[Part, ...] = ()
    """1e9 bytes, adding up to peak_memory_gb.value."""
    failure: str | None = None
    """`out of memory at step 3`."""


class Bench(Record):
    """A benchmark call's result: the baseline alone, or baseline and patched together."""

    id: str
    """bench_1, bench_2."""
    spec: str
    """Fingerprint of hardware, GPU and node count, steps and runner: what must agree to compare."""
    arms: tuple[Metrics, ...]
    measured: MeasuredRun | None = None
    """The rows behind measured figures; None where nothing ran."""

    def arm(self, name: ArmName) -> Metrics | None:
        """The figures of one arm."""
        return next((metrics for metrics in self.arms if metrics.arm == name), None)
