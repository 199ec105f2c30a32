"""The two files on one row of a what-if: whether they start there, what is projected, the cost.

`agent.finished.what_if` asks; whether a file starts on a card, and which edits it wants there, is
asked of the same rules as in an audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.finished.replan import Wishes, replan
from audit.export.numbers import count, value_text
from audit.records.base import Interval
from audit.records.errors import MissingFacts
from audit.records.finding import FieldEdit
from audit.records.report import Report
from audit.records.what_if import CardPrice, Fits, RunLength, WhatIfArm
from audit.records.workload import Workload

if TYPE_CHECKING:
    from audit.records.spec import Anchor
    from kb.catalog.hardware import Hardware
PER_HOUR, MILLION = 3600.0, 1e6


@dataclass(frozen=True, slots=True)
class Scene:
    """What all rows share."""

    report: Report
    gpus: int
    nodes: int
    written: Workload
    fixed: Workload
    """With only what stops it fixed."""
    patched: Workload | None
    """With the audit's patch."""
    trusted: bool
    """Whether that is the one that the audit projected."""
    wishes: Wishes
    run: RunLength
    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """One row: a card, its price, and what is known of its speed."""

    card: Hardware
    audited: bool
    """Whether the audit is of this card at these counts."""
    price: CardPrice | None
    anchor: Anchor | None


def baseline_arm(place: Place, scene: Scene) -> WhatIfArm:
    """The file as it is; where something stops it here, with only that fixed."""
    workload, note = scene.written, ""
    stops = _stops(workload, place.card, scene)
    if stops:
        told = "; ".join(stops)
        workload = scene.fixed
        if scene.report.starts_as_written or _stops(workload, place.card, scene):
            return WhatIfArm(name="baseline", reason=f"does not start on this card: {told}")
        note = f"with only what stops it here fixed ({told})"
    return _projected(WhatIfArm(name="baseline", note=note), workload, place, scene)


def patched_arm(place: Place, scene: Scene) -> WhatIfArm | None:
    """The file with the audit's patch; on another card with what its rules ask for there."""
    blank = WhatIfArm(name="patched")
    if place.card.id == scene.report.hardware.id:
        if scene.patched is None:
            return None
        note = count(sum(edit.applied for edit in scene.report.patch.edits), "edit")
        if not scene.trusted:
            return _as_audited(blank.model_copy(update={"note": note}), place, scene)
        workload = scene.patched
    else:
        plan = replan(scene.written, place.card, scene.gpus, scene.nodes, scene.wishes)
        if plan is None:
            return None
        workload, note = plan.workload, count(len(plan.edits), "edit")
        blank = blank.model_copy(update={"differs": _differs(plan.edits, scene.report)})
    stops = _stops(workload, place.card, scene)
    if stops:
        reason = f"does not start on this card: {'; '.join(stops)}"
        return blank.model_copy(update={"reason": reason})
    return _projected(blank.model_copy(update={"note": note}), workload, place, scene)


def _as_audited(blank: WhatIfArm, place: Place, scene: Scene) -> WhatIfArm:
    """The audit's own figures: the fields alone do not tell what the patched text reads as."""
    after = scene.report.after
    same = place.audited and scene.written.lengths == scene.report.lengths
    if not same or after is None or after.provenance != "projected" or not after.peak_memory_gb:
        reason = "not known: the patched file would have to be read again"
        return blank.model_copy(update={"reason": reason, "note": ""})
    figures: dict[str, Any] = {
        "fits": fits_in(after.peak_memory_gb, place.card),
        "peak_memory_gb": after.peak_memory_gb,
        "step_s": after.step_s,
        "tokens_per_s": after.tokens_per_s,
        "anchored": after.anchored,
    }
    return blank.model_copy(update={**figures, **_money(figures, scene, place.price)})


def _differs(edits: Sequence[FieldEdit], report: Report) -> tuple[str, ...]:
    """Where these edits are not those of the audit's patch."""
    theirs = {edit.field: edit.after for edit in report.patch.edits if edit.applied}
    ours = {edit.field: edit.value for edit in edits}
    other = [
        f"{name} {value_text(value)}"
        for name, value in ours.items()
        if name not in theirs or theirs[name] != value
    ]
    return (*other, *(f"{name} as it is" for name in theirs if name not in ours))


def _projected(blank: WhatIfArm, workload: Workload, place: Place, scene: Scene) -> WhatIfArm:
    try:
        figures = _figures(workload, place.card, scene, place.anchor)
    except MissingFacts as missing:
        return blank.model_copy(update={"reason": f"not known: {missing.reason}"})
    return blank.model_copy(update={**figures, **_money(figures, scene, place.price)})


def _stops(workload: Workload, card: Hardware, scene: Scene) -> list[str]:
    """Titles of the findings that stop a run on this card."""
    from kb.match import match_rules
    from kb.rulebook import fatal_rules
    from runner.estimator.profile import profile_workload

    profile = profile_workload(workload, card, scene.gpus, scene.nodes)
    found = match_rules(workload, profile, card, fatal_rules()).findings
    return [finding.title for finding in found if finding.stops_run]


def _figures(
    workload: Workload, card: Hardware, scene: Scene, anchor: Anchor | None
) -> dict[str, Any]:
    from runner.estimator.estimate import estimate_workload
    from runner.estimator.from_workload import read_job
    from runner.estimator.largest import find_largest

    found = estimate_workload(workload, card, scene.gpus, scene.nodes, anchor)
    micro = int(workload.value("per_device_train_batch_size"))
    reading = read_job(workload, card, scene.gpus, scene.nodes)
    largest = find_largest(found.job, micro, variable=reading.variable)
    fits = fits_in(found.peak_memory_gb, card)
    roomy = largest.micro_batch if largest else None
    job = found.job
    figures: dict[str, Any] = {
        "fits": fits,
        "peak_memory_gb": found.peak_memory_gb,
        "micro_batch": micro,
        "micro_batch_max": max(roomy, micro) if roomy is not None and fits == "fits" else roomy,
        "samples_per_step": float(job.micro_batch * job.accumulation * job.layout.replicas),
        "assumptions": found.assumptions,
        "anchored": found.anchored,
    }
    if fits == "no":
        return {**figures, "reason": "projected out of memory"}
    return {**figures, "step_s": found.step_s, "tokens_per_s": found.tokens_per_s}


def fits_in(peak: Interval, card: Hardware) -> Fits:
    """Whether a peak with its interval fits a card."""
    from runner.estimator.card import capacity_gb

    capacity = capacity_gb(card)
    if capacity is None:
        return "unknown"
    if peak.high <= capacity:
        return "fits"
    return "tight" if peak.value <= capacity else "no"


def _money(
    figures: Mapping[str, Any], scene: Scene, price: CardPrice | None
) -> dict[str, Interval | None]:
    """Time and cost: a quotient of exact numbers and the projected speed, so of its interval."""
    speed: Interval | None = figures.get("tokens_per_s")
    if speed is None:
        return {}
    per_s = price.usd_per_hour * scene.gpus * scene.nodes / PER_HOUR if price else None
    tokens = scene.run.tokens
    return {
        "usd_per_million_tokens": _over(per_s * MILLION, speed) if per_s is not None else None,
        "run_s": _over(tokens, speed) if tokens else None,
        "run_usd": _over(tokens * per_s, speed) if tokens and per_s is not None else None,
    }


def _over(amount: float, speed: Interval) -> Interval:
    """`amount` / speed: the fast end costs least."""
    return Interval(low=amount / speed.high, value=amount / speed.value, high=amount / speed.low)
