"""What a spec is for this box: its translation, the worker's order, its limits, its kept result."""

from __future__ import annotations

from typing import NamedTuple

from audit.records.spec import Spec
from audit.records.translated import Translation
from runner.local_box import Box
from runner.measured_figures import NAME
from runner.orders import order_of
from runner.result_cache import ResultCache, box_of
from runner.translation.translate import translate
from runner.worker.order import Order

LIMIT_SECONDS = 300.0
"""Wall time of a job beyond its budget of timed rounds: builds, compilation, the first steps."""
GRACE_SECONDS = 60.0
"""Between the limit at which the worker stops by itself and the one at which it is ended."""


class Limits(NamedTuple):
    """Seconds of wall time, each inside the one before."""

    whole: float
    """After which a run is ended: it never takes more, and never costs more."""
    worker: float
    """After which the worker ends the job and keeps what it has."""
    rounds: float


class Task(NamedTuple):
    """A spec as this box would run it."""

    translation: Translation
    order: Order | None
    """None: none of its edits can be shown here, so nothing runs."""
    key: str
    """Of a kept result."""


def limits_of(spec: Spec) -> Limits:
    """As its owner agreed to, else what the budget of its rounds needs."""
    agreed = spec.terms.timeout_s if spec.terms else None
    if agreed is None:
        worker = spec.stop.limit_s or spec.stop.seconds + LIMIT_SECONDS
        return Limits(worker + GRACE_SECONDS, worker, spec.stop.seconds)
    worker = max(agreed - GRACE_SECONDS, 0.8 * agreed)
    return Limits(agreed, worker, min(spec.stop.seconds, 0.8 * worker))


def task_of(spec: Spec, box: Box, cache: ResultCache) -> Task:
    """The spec translated for a box; raises MissingFacts where it says too little."""
    translation = translate(spec, box.place, box.hardware)
    if len(spec.arms) > 1 and not translation.edits:
        return Task(translation, None, "")
    limits = limits_of(spec)
    order = order_of(spec, translation, box.place, rounds=limits.rounds, limit_s=limits.worker)
    return Task(translation, order, cache.key(order, NAME, box_of(box.manifest)))
