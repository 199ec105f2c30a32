"""Whether two measured arms trained the same, by the class of what was edited.

Both arms start from the same weights and see the same samples at the same step. An edit that keeps
the maths keeps loss and gradient norm up to rounding; the gradient norm is the sharper of the two
(another optimizer moves it 20 times as far as the loss). Where the samples of a step differ,
or random masks do, a step has no counterpart: then only means are told, no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from audit.records.comparison import Parity, ParityPoint
from audit.records.finding import Semantics
from audit.records.measured import MeasuredRun, StepRow
from audit.records.translated import TranslatedArm

STEPS = 8
"""The first ones: rounding errors grow with every step, whatever they come from."""
ROUNDING = {"fp32": (1e-5, 1e-4), "other": (1e-2, 5e-2)}
"""Relative tolerance of loss and gradient norm. Measured here over 8 steps:
fp32 at most 2.3e-7 and 1.6e-7; bf16 against fp32 4.2e-4 and 1.1e-2, and larger models drift more;
what must be told in fp32 is another optimizer, 7.7e-5 and 1.4e-3."""
LEAST = 1e-12
POINTS = 120
"""Of a chart, at most."""

Verdict = Literal["same", "differs", "not_run"]


def loss_parity(run: MeasuredRun, semantics: Semantics) -> tuple[Verdict, Parity | None]:
    """`same` or `differs` where steps have counterparts, else `not_run` with the means."""
    before, after = run.arm("baseline"), run.arm("patched")
    if before is None or after is None:
        return "not_run", None
    why = _no_counterparts(run, semantics)
    pairs = _paired(before.rows, after.rows)
    if why is None and not all(_alike(*pair) for pair in pairs):
        why = "The arms take other samples into a step"
    if why is not None:
        window = _window(before.timed, after.timed, semantics, why)
        return "not_run", _drawn(window, pairs) if window else None
    if not pairs:
        return "not_run", None
    verdict, parity = _stepwise(pairs[:STEPS], run.translation.arms, semantics)
    return verdict, _drawn(parity, pairs)


def _stepwise(
    pairs: Sequence[tuple[StepRow, StepRow]], arms: Sequence[TranslatedArm], semantics: Semantics
) -> tuple[Verdict, Parity]:
    loss = max(_apart(one.loss, other.loss) for one, other in pairs)
    norm = max(_apart(one.grad_norm, other.grad_norm) for one, other in pairs)
    exact = semantics == "neutral" and all(arm.recipe.precision == "fp32" for arm in arms)
    limits = ROUNDING["fp32" if exact else "other"]
    verdict: Verdict = "same" if loss <= limits[0] and norm <= limits[1] else "differs"
    reason = (
        f"Loss within {loss:.1e} and gradient norm within {norm:.1e} at the same "
        f"{len(pairs)} steps of both runs; allowed are {limits[0]:.0e} and {limits[1]:.0e}."
    )
    return verdict, Parity(
        kind="stepwise",
        semantics=semantics,
        steps=len(pairs),
        loss=loss,
        grad_norm=norm,
        loss_tolerance=limits[0],
        grad_norm_tolerance=limits[1],
        reason=reason,
    )


def _window(
    before: Sequence[StepRow], after: Sequence[StepRow], semantics: Semantics, why: str
) -> Parity | None:
    count = min(len(before), len(after))
    if not count:
        return None
    losses = [fmean(row.loss for row in rows[:count]) for rows in (before, after)]
    norms = [fmean(row.grad_norm for row in rows[:count]) for rows in (before, after)]
    reason = (
        f"{why}, so a step of one run has no counterpart in the other: parity is not judged. Mean "
        f"loss over {count} steps: {losses[0]:.4g} before, {losses[1]:.4g} after."
    )
    return Parity(
        kind="window",
        semantics=semantics,
        steps=count,
        loss=_apart(*losses),
        grad_norm=_apart(*norms),
        reason=reason,
    )


def _drawn(parity: Parity, pairs: Sequence[tuple[StepRow, StepRow]]) -> Parity:
    """With the steps of both arms, thinned evenly; a step without a number is left out."""
    finite = [pair for pair in pairs if all(_is_number(row) for row in pair)]
    every = max(1, math.ceil(len(finite) / POINTS))
    points = tuple(
        ParityPoint(
            index=one.index,
            loss_before=one.loss,
            loss_after=other.loss,
            grad_norm_before=one.grad_norm,
            grad_norm_after=other.grad_norm,
        )
        for one, other in finite[::every]
    )
    return parity.model_copy(update={"points": points})


def _is_number(row: StepRow) -> bool:
    return math.isfinite(row.loss) and math.isfinite(row.grad_norm)


def _no_counterparts(run: MeasuredRun, semantics: Semantics) -> str | None:
    """Why a step of one arm has no counterpart in the other."""
    if semantics == "dynamics":
        return "The edits change what is learned"
    recipes = [arm.recipe for arm in run.translation.arms]
    masks = any(recipe.lora is not None and recipe.lora.dropout > 0 for recipe in recipes)
    if masks and len({(one.micro_batch, one.padding, one.compiled) for one in recipes}) > 1:
        return "Dropout draws other masks in other shapes"
    return None


def _paired(before: Sequence[StepRow], after: Sequence[StepRow]) -> list[tuple[StepRow, StepRow]]:
    """Rows of the same index, in order."""
    others = {row.index: row for row in after}
    rows = sorted(before, key=lambda row: row.index)
    return [(row, others[row.index]) for row in rows if row.index in others]


def _alike(one: StepRow, other: StepRow) -> bool:
    return (one.samples, one.real_tokens) == (other.samples, other.real_tokens)


def _apart(one: float, other: float) -> float:
    """Relative difference; a value that is no number is as far off as can be."""
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    return abs(one - other) / max(abs(one), abs(other), LEAST)
