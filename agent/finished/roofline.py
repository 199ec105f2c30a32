"""Where a run stands under its card's two limits: operations per byte, and operations per second.

From a finished report: operations and bytes are counted by the estimator, the time of a step is the
report's own, so a measured step gives a measured rate. Empty where a limit is not known.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.finished.from_report import patched, reproduces, startable
from audit.export.arms import arm_labels, arms_of
from audit.records.base import Interval, Provenance
from audit.records.errors import MissingFacts, UnknownName
from audit.records.report import Report


class Point(NamedTuple):
    """One file under the roof."""

    label: str
    """`before`, `after`, or `your file`."""
    intensity: float
    """Operations per byte of memory traffic; counted."""
    tflops: Interval
    """Executed per second and GPU."""
    provenance: Provenance
    """Of the time of the step."""
    dtype: str
    peak_tflops: float
    bandwidth_tb_s: float

    @property
    def roof(self) -> float:
        """TFLOP/s that the card allows at this intensity."""
        return min(self.peak_tflops, self.intensity * self.bandwidth_tb_s)

    @property
    def bound(self) -> str:
        """Which limit is the roof here."""
        ridge = self.peak_tflops / self.bandwidth_tb_s
        return "memory bandwidth" if self.intensity < ridge else "matrix rate"


def roofline(report: Report) -> tuple[Point, ...]:
    """The points of a report, before first; empty where the card's limits are not stated."""
    from kb.catalog.hardware import find_hardware
    from runner.estimator.intensity import operating_point

    used = report.hardware
    try:
        card = find_hardware(used.id)
    except UnknownName:  # a report of another version
        return ()
    points = []
    for label, (kind, arm) in zip(arm_labels(report), arms_of(report), strict=False):
        workload = startable(report) if kind == "before" else patched(report)
        if workload is None or arm.step_s is None or not reproduces(workload, arm, report):
            return ()
        try:
            found = operating_point(workload, card, used.gpus, used.nodes)
        except MissingFacts:
            return ()
        if found.peak_tflops is None or found.bandwidth_tb_s is None:
            return ()
        points.append(
            Point(
                label=label,
                intensity=found.intensity,
                tflops=_per_second(found.flops, arm.step_s),
                provenance=arm.provenance,
                dtype=found.dtype,
                peak_tflops=found.peak_tflops,
                bandwidth_tb_s=found.bandwidth_tb_s,
            )
        )
    return tuple(points)


def _per_second(flops: float, step_s: Interval) -> Interval:
    each = flops / 1e12
    return Interval(low=each / step_s.high, value=each / step_s.value, high=each / step_s.low)
