"""What each group of edits adds on top of those before it, from the speedups of a growing patch.

Pure functions of intervals; `agent.measuring.attribution` makes the runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.patching.edit_groups import EditGroup
from audit.records.attribution import EditShare
from audit.records.base import Interval


def edit_shares(groups: Sequence[EditGroup], steps: Sequence[Interval]) -> tuple[EditShare, ...]:
    """The factor and the share of each group.

    Args:
        groups: in the order in which they were added.
        steps: the speedup of the first one, the first two, ... of them; errors of different runs
            are independent, so the widths of neighbours add in squares.
    """
    whole = math.log(steps[-1].value)
    found, before, width = [], 0.0, 0.0
    for group, step in zip(groups, steps, strict=True):
        now, half = math.log(step.value), math.log(step.high / step.low) / 2
        gain, spread = now - before, math.hypot(half, width)
        found.append(
            EditShare(
                rule_ids=group.rule_ids,
                fields=group.fields,
                factor=Interval(
                    low=math.exp(gain - spread),
                    value=math.exp(gain),
                    high=math.exp(gain + spread),
                ),
                share=gain / whole,
            )
        )
        before, width = now, half
    return tuple(found)


def harmful(
    groups: Sequence[EditGroup], shares: Sequence[EditShare]
) -> tuple[tuple[EditGroup, EditShare], ...]:
    """Groups that slow the run down although the patch as a whole is faster, with their shares."""
    from runner.compare import verdict_of

    pairs = zip(groups, shares, strict=True)
    return tuple(pair for pair in pairs if verdict_of(pair[1].factor) == "slower")


def shares_told(shares: Sequence[EditShare]) -> str:
    """One sentence."""
    parts = (f"{', '.join(one.fields)} {one.factor.value:.2f}x" for one in shares)
    return f"Measured one after the other, each on top of those before it: {'; '.join(parts)}."
