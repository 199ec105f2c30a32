"""Holds two arms of one benchmark against each other: the verdict, its interval, or why not.

Figures of unlike origin or conditions are never compared. Two projections of one model share most
of their error, so the interval of their ratio is the calibrated error of published before/after
pairs, not the two intervals combined. Two measured arms ran in interleaved rounds of one job, and
only those pairs are used (`runner.paired`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from audit.records.base import Interval
from audit.records.comparison import Comparison, Verdict
from audit.records.finding import Semantics
from audit.records.measured import MeasuredRun
from audit.records.metrics import Metrics
from runner.estimator.spread import pair_spread
from runner.paired import paired

FASTER, SLOWER = 1.03, 0.97
"""A speedup whose whole interval lies beyond these is told; the page shows both bounds."""
PROJECTED, MEASURED = 0.8, 0.95


def compare_arms(
    before: Metrics,
    after: Metrics,
    *,
    before_id: str,
    after_id: str,
    measured: MeasuredRun | None = None,
    semantics: Semantics = "neutral",
) -> Comparison:
    """The speedup in real tokens per second, after / before, and what may be said of it.

    Args:
        before: the baseline's figures.
        after: the patched run's.
        before_id: of the benchmark of the baseline alone.
        after_id: of the benchmark that holds both arms.
        measured: the job in which both arms ran, where one did.
        semantics: the weakest class among the edits, for the loss.
    """
    ids = {"before_id": before_id, "after_id": after_id}
    unlike = list(_unlike(before, after))
    if unlike:
        reason = f"Not compared: the two runs differ in {', '.join(unlike)}."
        return Comparison(**ids, verdict="not_comparable", reason=reason)
    if measured is not None and (why := _nothing_ran(measured)):
        return Comparison(**ids, verdict="not_comparable", reason=why)
    failed = _failed(before, after)
    if failed:
        return Comparison(**ids, verdict="failed", reason=failed, provenance=before.provenance)
    first, second = before.tokens_per_s, after.tokens_per_s
    if first is None or second is None:
        reason = "Not compared: one of the two runs has no speed."
        return Comparison(**ids, verdict="not_comparable", reason=reason)
    if measured is not None and before.provenance != "projected":
        return _measured(measured, semantics, ids, before)
    projected = before.provenance == "projected"
    ratio = second.value / first.value
    half = _half_width(before, after, first, second)
    speedup = Interval(low=ratio / math.exp(half), value=ratio, high=ratio * math.exp(half))
    verdict = verdict_of(speedup)
    return Comparison(
        **ids,
        verdict=verdict,
        speedup=speedup,
        confidence=PROJECTED if projected else MEASURED,
        interval_kind="calibrated_pairs" if projected else None,
        minimum_detectable_effect=FASTER * math.exp(half) - 1,
        provenance=before.provenance,
        reason=_reason(verdict, speedup),
    )


def _measured(
    run: MeasuredRun, semantics: Semantics, ids: dict[str, str], before: Metrics
) -> Comparison:
    """The verdict of the paired rounds."""
    found = paired(run, semantics, FASTER)
    if found is None:
        reason = "Not compared: fewer than four rounds of both runs were timed."
        return Comparison(**ids, verdict="not_comparable", reason=reason)
    verdict = verdict_of(found.speedup)
    return Comparison(
        **ids,
        verdict=verdict,
        speedup=found.speedup,
        confidence=MEASURED,
        provenance=before.provenance,
        reason=f"{_reason(verdict, found.speedup)} {found.told}",
        **found.fields,
    )


def _nothing_ran(run: MeasuredRun) -> str | None:
    """Why the patched run says nothing: none of its edits can be shown on this box."""
    arm = run.arm("patched")
    failure = arm.failure if arm else None
    if failure is None or failure.kind != "nothing_measured":
        return None
    why = f": {failure.message}" if failure.message else ""
    return f"Not compared: nothing of the patch can be measured here{why.rstrip('.')}."


def _unlike(before: Metrics, after: Metrics) -> Iterator[str]:
    """Names of the conditions that are not the same."""
    for name in ("provenance", "anchored", "runner", "hardware", "gpus", "nodes", "steps"):
        if getattr(before, name) != getattr(after, name):
            yield name
    kinds = {before.memory_kind, after.memory_kind} - {None}
    if len(kinds) > 1:
        yield "memory kind"


def _failed(before: Metrics, after: Metrics) -> str | None:
    if after.failure:
        other = f" (nor has the run before: {before.failure})" if before.failure else ""
        return f"The run after the patch has no figures: {after.failure}{other}."
    if before.failure:
        return f"The run before the patch has no figures: {before.failure}."
    return None


def _half_width(before: Metrics, after: Metrics, first: Interval, second: Interval) -> float:
    """Half width of the ratio, in log."""
    if before.workload == after.workload:
        return 0.0
    if before.provenance == "projected":
        return pair_spread(math.log(second.value / first.value)).speed
    spans = (math.log(one.high / one.low) / 2 for one in (first, second))
    return math.sqrt(sum(span**2 for span in spans))


def verdict_of(speedup: Interval) -> Verdict:
    """What an interval says: beyond 1.03 or 0.97 as a whole, or nothing."""
    if speedup.low > FASTER:
        return "faster"
    return "slower" if speedup.high < SLOWER else "no_difference"


def _reason(verdict: Verdict, speedup: Interval) -> str:
    span = f"{speedup.low:.2f} to {speedup.high:.2f}"
    if verdict == "faster":
        return f"The whole interval of the speedup ({span}) lies above {FASTER}."
    if verdict == "slower":
        return f"The whole interval of the speedup ({span}) lies below {SLOWER}."
    return f"The interval of the speedup ({span}) does not lie beyond {SLOWER} or {FASTER}."
