"""Loss and gradient norm of both arms step by step: words, and places of two small curves.

Only where both were measured. Page and exported file draw the same places in their own colours.
"""

from __future__ import annotations

from typing import NamedTuple

from audit.export.numbers import number
from audit.records.comparison import Parity
from audit.records.report import Report

WIDTH, HEIGHT, EDGE = 360, 110, 5
"""Units of a curve's own space, and room for the width of a line."""
ANSWERS = {
    "same": "Yes, within rounding.",
    "differs": "No: the two runs differ by more than rounding.",
    "not_run": "Not judged.",
}


class Curve(NamedTuple):
    """One quantity of both arms."""

    name: str
    """loss, gradient norm."""
    before: str
    """Points of a polyline: `x,y x,y ...`."""
    after: str
    span: str
    """Its range in words."""
    held: float
    """Up to where steps were held against each other; 0: none were."""
    spoken: str
    """Instead of the picture."""


def parity_of(report: Report) -> Parity | None:
    """What can be drawn; None where fewer than two steps of both arms were measured."""
    parity = report.comparison.parity
    return parity if parity is not None and len(parity.points) > 1 else None


def answer(report: Report) -> str:
    """Whether both arms trained the same, in a few words."""
    return ANSWERS[report.comparison.loss_parity]


def curves(parity: Parity) -> tuple[Curve, Curve]:
    """Loss, then gradient norm."""
    points = parity.points
    loss = ([one.loss_before for one in points], [one.loss_after for one in points])
    norm = ([one.grad_norm_before for one in points], [one.grad_norm_after for one in points])
    return _curve("Loss", *loss, parity), _curve("Gradient norm", *norm, parity)


def step_text(value: float) -> str:
    """A loss or a norm of one step, as page and file print it."""
    return f"{value:.4f}" if abs(value) < 100 else number(value)


def steps_text(parity: Parity) -> str:
    """`steps 0 to 57`."""
    return f"steps {parity.points[0].index} to {parity.points[-1].index}"


def _curve(name: str, before: list[float], after: list[float], parity: Parity) -> Curve:
    low, high = min(*before, *after), max(*before, *after)
    steps = [point.index for point in parity.points]
    across = (WIDTH - 2 * EDGE) / (steps[-1] - steps[0])

    def x(step: int) -> float:
        return EDGE + (step - steps[0]) * across

    def line(values: list[float]) -> str:
        room = HEIGHT - 2 * EDGE
        share = [(value - low) / (high - low) if high > low else 0.5 for value in values]
        return " ".join(
            f"{x(step):.1f},{HEIGHT - EDGE - room * one:.1f}"
            for step, one in zip(steps, share, strict=True)
        )

    held = 0.0
    if parity.kind == "stepwise":
        last = [step for step in steps if step < steps[0] + parity.steps][-1]
        held = x(last)
    span = f"{number(low)} to {number(high)}"
    spoken = (
        f"{name} over {steps_text(parity)}: before from {number(before[0])} to "
        f"{number(before[-1])}, after from {number(after[0])} to {number(after[-1])}"
    )
    return Curve(name, line(before), line(after), span, held, spoken)
