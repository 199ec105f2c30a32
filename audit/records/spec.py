"""What a runner is asked to run."""

from __future__ import annotations

import json
from functools import cached_property
from hashlib import sha256

from pydantic import Field

from audit.records.base import ArmName, Record
from audit.records.terms import Terms
from audit.records.workload import Workload


class Arm(Record):
    """One side of a benchmark: a workload and the variables its process sees."""

    name: ArmName
    workload: Workload
    env: dict[str, str] = Field(default_factory=dict)


class Anchor(Record):
    """A step time that somebody stated, and the file that ran in it."""

    workload: Workload
    step_s: float
    """Seconds of one optimizer step, on the spec's card and counts."""
    source: str
    """A log's file name, or `--step-time`."""


class Stop(Record):
    """When a measuring runner stops before all steps are done.

    It looks at the width of the interval and never at the side on which it lies, so stopping early
    favours no verdict.
    """

    seconds: float = 240.0
    """Budget of the timed rounds and the warm-up of one job."""
    limit_s: float | None = None
    """Wall time of the whole job, builds and compilation too; None: as the runner has it."""
    half_width: float = 0.02
    """Of the 95% interval of the mean log ratio of paired rounds: narrow enough."""
    least_rounds: int = 8


class Spec(Record):
    """Baseline alone, or baseline and patched in interleaved rounds of one job."""

    arms: tuple[Arm, ...]
    hardware: str
    gpus: int = 1
    """GPUs per node."""
    nodes: int = 1
    steps: int = 50
    """Timed optimizer steps per arm."""
    seed: int = 0
    profile: bool = False
    """Whether a measuring runner also profiles some steps, apart from the timed ones."""
    stop: Stop = Stop()
    anchor: Anchor | None = None
    """Projections are scaled to it; a measuring runner ignores it."""
    terms: Terms | None = None
    """On what its owner approved a run that costs money; None: nobody was asked."""

    @cached_property
    def conditions(self) -> str:
        """Digest of what two benches must share to be compared; workloads are no part of it."""
        what = self.model_dump(include={"hardware", "gpus", "nodes", "steps"})
        if self.anchor is not None:
            what["anchor"] = [self.anchor.step_s, self.anchor.workload.fingerprint]
        return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
