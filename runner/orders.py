"""The worker's order for a spec: the same here and on a rented machine, but for the times."""

from __future__ import annotations

from audit.records.spec import Spec
from audit.records.translated import Translation
from runner.translation.place import Place
from runner.worker.order import Order


def order_of(
    spec: Spec, translation: Translation, place: Place, *, rounds: float, limit_s: float
) -> Order:
    """What the worker is told.

    Args:
        spec: what was asked for.
        translation: the same as objects to build.
        place: the machine.
        rounds: seconds for the timed rounds.
        limit_s: seconds after which the worker gives up.
    """
    return Order(
        translation=translation,
        steps=spec.steps,
        seed=spec.seed,
        ranks=spec.gpus,
        profile=spec.profile,
        stop=spec.stop.model_copy(update={"seconds": rounds}),
        limit_s=limit_s,
        memory_gb=None if place.gpu else place.memory_gb,
    )
