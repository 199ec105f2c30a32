"""The arms of a benchmark as a reader sees them: before and after, with the metrics both share."""

from __future__ import annotations

from typing import NamedTuple

from audit.records.base import Interval, Provenance
from audit.records.metrics import Metrics
from audit.records.report import Report


class Metric(NamedTuple):
    """A metric that gets a chart of its own."""

    name: str
    title: str
    unit: str
    """Printed after the title; empty where the title says it."""
    more_is_better: bool


METRICS: tuple[Metric, ...] = (
    Metric("tokens_per_s_per_gpu", "Tokens/s per GPU", "", True),
    Metric("step_s", "Step time", "s", False),
    Metric("mfu", "FLOP use (MFU)", "", True),
    Metric("padding_efficiency", "Real tokens of all", "", True),
)
"""At most one chart each, in this order."""


class Bar(NamedTuple):
    """One arm's value of one metric."""

    label: str
    """`before` or `after`."""
    interval: Interval
    provenance: Provenance


def arms_of(report: Report) -> tuple[tuple[str, Metrics], ...]:
    """The arms that have figures, with the word the page uses for each."""
    named = (("before", report.before), ("after", report.after))
    return tuple((label, arm) for label, arm in named if arm is not None and not arm.failure)


def only_one(report: Report) -> bool:
    """Whether there is nothing to compare: no edit was applied, or one arm gave no figures."""
    applied = any(edit.applied for edit in report.patch.edits)
    return not applied or len(arms_of(report)) < 2


def arm_labels(report: Report) -> tuple[str, ...]:
    """The word for each arm that has figures: `your file` alone where nothing was changed."""
    labels = tuple(label for label, _ in arms_of(report))
    changed = any(edit.applied for edit in report.patch.edits)
    return labels if changed else ("your file",) * min(1, len(labels))


def bars_of(report: Report, metric: str) -> tuple[Bar, ...]:
    """The values of a metric, one per arm that has it; one bar where nothing was changed."""
    bars = []
    for label, (_, arm) in zip(arm_labels(report), arms_of(report), strict=False):
        interval: Interval | None = getattr(arm, metric)
        if interval is not None:
            bars.append(Bar(label, interval, arm.provenance))
    return tuple(bars)


def charted(report: Report) -> tuple[Metric, ...]:
    """The metrics that this report can chart."""
    return tuple(metric for metric in METRICS if bars_of(report, metric.name))
