"""What a finished audit is worth as a training signal: only what was measured counts.

A projection is the estimator's opinion; rewarding it would teach a model to please the estimator.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from audit.records.report import Report

MAX_REWARD = 1.0
"""log of the speedup is clipped here: e, 2.7 times as fast, is as good as it gets."""
CRASH = -1.0
"""The patched run failed where the baseline ran."""
COUNTS = ("measured", "imported")


class Reward(NamedTuple):
    """A reward, or None, and why in one sentence."""

    value: float | None
    reason: str


def reward_of(report: Report) -> Reward:
    """The clipped log speedup of a measured pair of runs that train the same.

    0 where the runs do not differ or nothing was edited, negative where the patch made the run
    slower or stopped it, None where the pair was not measured, did not train the same, or was
    chosen by the rules after the backend had stopped.
    """
    comparison = report.comparison
    if comparison.provenance not in COUNTS:
        return Reward(None, "Nothing was measured: a projection is no reward.")
    if report.tier == 3 and report.completed_by != "rules":
        return Reward(None, "The rules chose the edits, not this backend.")
    if comparison.verdict == "failed":
        return _failed(report)
    if comparison.verdict == "not_comparable" or comparison.speedup is None:
        return Reward(None, comparison.reason or "The two runs are not comparable.")
    if comparison.verdict == "no_difference":
        return Reward(0.0, comparison.reason)
    if comparison.loss_parity != "same":
        return Reward(None, "The patched run was not shown to train the same.")
    log = math.log(comparison.speedup.value)
    return Reward(max(-MAX_REWARD, min(MAX_REWARD, log)), comparison.reason)


def _failed(report: Report) -> Reward:
    before, after = report.before, report.after
    if before is not None and before.failure:
        return Reward(None, f"The file's own run failed: {before.failure}.")
    if after is not None and after.failure:
        return Reward(CRASH, f"The patched run failed: {after.failure}.")
    return Reward(None, report.comparison.reason)
