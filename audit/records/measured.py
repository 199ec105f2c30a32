"""What the worker measured, row by row: the raw material of every measured figure.

The worker's own records, not yet statistics: `runner.figures` makes the figures of an arm of them,
`runner.compare` the verdict. Seconds are wall time; 1e9 bytes are one GB.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.records.base import ArmName, Record
from audit.records.profile import Part
from audit.records.translated import Translation

FailureKind = Literal[
    "out_of_memory", "exception", "killed", "time_limit", "not_effective", "nothing_measured"
]
StopReason = Literal["rounds_done", "narrow_enough", "budget_used", "failed"]


class Peak(Record):
    """Peak memory in 1e9 bytes, each kind by its own meter; None: this device has no such meter.

    On a GPU the part that the other arm holds between its steps is taken off `allocated`; the other
    kinds are of the whole process. On a CPU `allocated` counts live tensors in one step that is not
    timed, `resident` is the process (VmHWM).
    """

    allocated: float | None = None
    reserved: float | None = None
    device: float | None = None
    resident: float | None = None


class StepRow(Record):
    """One optimizer step. Tokens, time and loss are of exactly this step."""

    arm: ArmName
    round: int
    """0, 1, ...: a round holds the same number of steps of every arm, back to back. -1: warm-up."""
    index: int
    """0, 1, ... within the arm, warm-up steps counted: both arms see the same samples at the same
    index where they take as many samples per step."""
    place: int
    """0 or 1: whether the arm ran first or second in its round (ABBA)."""
    seconds: float
    cpu_seconds: float | None = None
    """CPU time of the arm's process, without its loader processes; None where the arms have
    different numbers of those."""
    samples: int
    real_tokens: int
    padded_tokens: int
    """Tokens processed, padding included."""
    loss: float
    """Mean over the step's target tokens."""
    grad_norm: float
    """Global 2-norm before clipping."""
    data_wait_s: float
    """Part of `seconds` spent waiting for the data loader."""
    peak: Peak = Peak()


class ReadBack(Record):
    """One knob as it was found on the built objects while they ran."""

    field: str
    """The workload's field."""
    wanted: str
    seen: str
    effective: bool
    how: str
    """Where it was looked up."""


class ArmFailure(Record):
    """Why an arm has no figures, or no more of them."""

    kind: FailureKind
    step: int | None = None
    """Index of the optimizer step, as in the rows; None: before the first step."""
    exception: str | None = None
    """Class of the exception."""
    message: str = ""
    """One plain line, without a path or an address."""


class Phase(Record):
    """How long one part of the job took."""

    name: str
    """import, build, warm_up, rounds, memory, profile."""
    seconds: float
    arm: ArmName | None = None


class GpuSample(Record):
    """What the maker's tool said of one card while the rounds ran: means over its samples."""

    device: int
    samples: int
    busy: float | None = None
    """0 to 1."""
    clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None


class Manifest(Record):
    """Where and with what it ran. No host name, address, serial number or path is in it."""

    device: str
    """`cpu`, or the device's name as torch gives it."""
    device_kind: Literal["cpu", "cuda", "rocm"]
    devices: int = 1
    ranks: int = 1
    processor: str = ""
    cores: int | None = None
    threads: int = 1
    """torch threads of an arm."""
    memory_gb: float | None = None
    driver: str | None = None
    runtime: str | None = None
    """CUDA or ROCm release of the torch build."""
    versions: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)
    """Of the process, those that numeric libraries read; a path is told as a digest."""
    load_before: float | None = None
    """One-minute load average."""
    load_after: float | None = None
    tool: tuple[GpuSample, ...] = ()
    deterministic: bool = False
    seed: int = 0


class MeasuredArm(Record):
    """One arm of a measured run."""

    arm: ArmName
    rows: tuple[StepRow, ...] = ()
    """In the order run, warm-up steps included (round -1)."""
    parameters: int | None = None
    trained_parameters: int | None = None
    flops_per_token: float | None = None
    """Forward and backward of one real token in matrix products, by the model that was built."""
    readback: tuple[ReadBack, ...] = ()
    peak: Peak = Peak()
    """The highest of each kind over the timed steps, and the counted step on a CPU."""
    breakdown: tuple[Part, ...] = ()
    """Seconds of one profiled step by kind of work, adding up to the profiled step."""
    failure: ArmFailure | None = None

    @property
    def timed(self) -> tuple[StepRow, ...]:
        """The rows that figures are made of."""
        return tuple(row for row in self.rows if row.round >= 0)


class MeasuredRun(Record):
    """One job of the worker: the baseline alone, or both arms interleaved."""

    version: int = 1
    translation: Translation
    arms: tuple[MeasuredArm, ...]
    manifest: Manifest
    phases: tuple[Phase, ...] = ()
    stopped: StopReason
    from_cache: bool = False

    def arm(self, name: ArmName) -> MeasuredArm | None:
        """What was measured of one arm."""
        return next((arm for arm in self.arms if arm.arm == name), None)
