"""The chart of a run that is being measured: seconds per step of each arm, round by round.

Drawn on the server as a picture with a sentence beside it, so that it grows without a script.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.records.base import ArmName
from audit.records.events import StepPoint
from ui.figures import number

WIDTH, HEIGHT, EDGE = 520, 120, 6
NAMES: dict[ArmName, str] = {"baseline": "Before", "patched": "After"}


def step_chart(points: Sequence[StepPoint]) -> str:
    """The chart as HTML; empty before the first round of either arm."""
    arms = [arm for arm in NAMES if any(point.arm == arm for point in points)]
    if not arms:
        return ""
    top = max(point.seconds for point in points) or 1.0
    rounds = max(sum(point.arm == arm for point in points) for arm in arms)
    lines = "".join(_line([p for p in points if p.arm == arm], arm, top, rounds) for arm in arms)
    said = "; ".join(_said([p for p in points if p.arm == arm], arm) for arm in arms)
    return (
        '<figure class="gg-live-chart" data-chart="steps">'
        f"<figcaption><b>Seconds per step, measured now.</b> {said}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Seconds per step: {said}">'
        f'<path class="gg-zero" d="M0 {HEIGHT - EDGE}H{WIDTH}"/>{lines}</svg></figure>'
    )


def _line(points: Sequence[StepPoint], arm: ArmName, top: float, rounds: int) -> str:
    room = HEIGHT - 2 * EDGE
    across = (WIDTH - 2 * EDGE) / max(1, rounds - 1)
    places = [
        (EDGE + place * across, HEIGHT - EDGE - room * point.seconds / top)
        for place, point in enumerate(points)
    ]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<g class="gg-arm-{arm}"><polyline points="{path}"/>{dots}</g>'


def _said(points: Sequence[StepPoint], arm: ArmName) -> str:
    """`Before: 0.15 s, loss 8.33, 12 rounds`."""
    last = points[-1]
    noun = "round" if len(points) == 1 else "rounds"
    return f"{NAMES[arm]}: {number(last.seconds)} s, loss {last.loss:.3f}, {len(points)} {noun}"
