"""Anchors projections to a stated step time: one factor for the file as written and its patch.

The largest part of a projection's error is one constant per machine and software stack (figures of
cards left out of the fit: `docs/why-believe.md`). A step time from the user's own log, or stated by
hand, takes it out. It is evidence only for the run that it is of: a log of
another batch or GPU count is not used, and that is said.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from audit.records.errors import MissingFacts
from audit.records.spec import Anchor
from audit.records.workload import FieldValue, Workload
from kb.catalog.hardware import Hardware
from runner.estimator.from_workload import read_job
from runner.estimator.limits import count_of
from runner.estimator.spread import pair_spread
from runner.estimator.throughput import Seconds

LARGEST = 8.0
"""A stated time further off than this factor is of another run or card: worst published miss 3."""
NOISE = 0.05
"""Half width (log) of a stated step time: runs of one recipe scatter by 1 to 3% at the median, 7%
at worst (predictor study, section 6)."""


class Anchoring(NamedTuple):
    """What a stated time is used for."""

    anchor: Anchor | None
    told: str | None
    """One sentence about it; None where no time is stated."""


class Scale(NamedTuple):
    """What an anchor does to a projection."""

    factor: float
    projected_s: float
    """Seconds of one step of the anchor's own file before anchoring."""

    def seconds(self, seconds: Seconds) -> Seconds:
        """All parts of a step, scaled alike."""
        return Seconds(*(part * self.factor for part in seconds))

    def half_width(self, step_s: float) -> float:
        """Half width (log) of a scaled step: what is known of ratios, and the log's own noise."""
        change = math.log(step_s / self.projected_s)
        return NOISE if abs(change) < 1e-9 else math.hypot(NOISE, pair_spread(change).speed)


def find_anchor(
    workload: Workload, hardware: Hardware, gpus: int, nodes: int, stated_s: float | None
) -> Anchoring:
    """The anchor of a file: the time stated by hand, else that of a log beside the file.

    Args:
        workload: the file as written, whose step the time is of.
        hardware: the card that the step ran on.
        gpus: cards per machine.
        nodes: machines.
        stated_s: seconds of one optimizer step there; None: not stated.

    Raises:
        MissingFacts: the time stated by hand cannot be of this run.
    """
    if stated_s is not None:
        anchor = Anchor(workload=workload, step_s=stated_s, source="--step-time")
        problem = _problem(anchor, hardware, gpus, nodes)
        if problem:
            remedy = "Give the seconds of one optimizer step on the card and GPU count asked for."
            raise MissingFacts(problem, missing=("step_time",), remedy=remedy)
    else:
        log = workload.fields.get("step_s")
        if log is None or not isinstance(log.value, int | float):
            return Anchoring(None, None)
        anchor = Anchor(workload=workload, step_s=float(log.value), source=log.file or "a log")
        problem = _other_run(workload, log, gpus * nodes) or _problem(anchor, hardware, gpus, nodes)
        if problem:
            return Anchoring(None, f"not anchored to {anchor.source}: {problem}")
    scale = scale_of(anchor, hardware, gpus, nodes)
    told = (
        f"anchored to {anchor.step_s:.3g} s per step of {anchor.source} "
        f"(projected {scale.projected_s:.3g} s): as if it ran on this card"
    )
    return Anchoring(anchor, told)


def scale_of(anchor: Anchor, hardware: Hardware, gpus: int, nodes: int) -> Scale:
    """The stated time / the projected one, of the anchor's own file.

    Raises:
        MissingFacts: that file cannot be projected.
    """
    projected = _projected(_Key(anchor.workload), hardware, gpus, nodes)
    return Scale(anchor.step_s / projected, projected)


class _Key:
    """A workload by its fingerprint, so that an audit projects the anchor's file once."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload

    def __hash__(self) -> int:
        return hash(self.workload.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.workload.fingerprint == other.workload.fingerprint


@lru_cache(maxsize=64)
def _projected(key: _Key, hardware: Hardware, gpus: int, nodes: int) -> float:
    from runner.estimator.estimate import project

    reading = read_job(key.workload, hardware, gpus, nodes)
    return float(project(reading.job, variable=reading.variable).seconds.total)


def _other_run(workload: Workload, log: FieldValue, total: int) -> str | None:
    """Why a log is not of the run that is projected."""
    if any(one.kind == "conflict" and one.file == log.file for one in workload.notices):
        return "it is of another run than the file"
    ranks = workload.fields.get("num_processes")
    if (
        ranks is not None
        and ranks.origin == "derived"
        and count_of(workload, "num_processes") != total
    ):
        return f"it is of a run on {ranks.value} GPUs, and {total} are asked for"
    return None


def _problem(anchor: Anchor, hardware: Hardware, gpus: int, nodes: int) -> str | None:
    """Why a time cannot be that of the anchor's file on this card."""
    if not (math.isfinite(anchor.step_s) and anchor.step_s > 0):
        return f"{anchor.step_s} is no time of a step"
    try:
        scale = scale_of(anchor, hardware, gpus, nodes)
    except MissingFacts as missing:
        return f"the file itself is not projected: {missing.reason}"
    if not 1 / LARGEST <= scale.factor <= LARGEST:
        return (
            f"{anchor.step_s:g} s per step is {scale.factor:.2g} times the projected "
            f"{scale.projected_s:.3g} s: a time of another run, card or GPU count"
        )
    return None
