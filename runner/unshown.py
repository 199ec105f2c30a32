"""The result where none of a patch's edits can be shown: nothing is run, and that is said."""

from __future__ import annotations

from collections.abc import Iterable

from audit.records.measured import ArmFailure, Manifest, MeasuredArm, MeasuredRun
from audit.records.translated import Translation


def nothing_measured(
    translation: Translation, manifest: Manifest, earlier: Iterable[MeasuredRun]
) -> MeasuredRun:
    """A failed patched arm with the reasons, beside the baseline as an earlier run measured it."""
    why = "; ".join(f"{one.field}: {one.reason}" for one in translation.unmeasured)
    failure = ArmFailure(kind="nothing_measured", message=why or "the arms do not differ")
    before = next(
        (arm for run in earlier for arm in run.arms if arm.arm == "baseline" and arm.timed),
        MeasuredArm(arm="baseline"),
    )
    return MeasuredRun(
        translation=translation,
        arms=(before, MeasuredArm(arm="patched", failure=failure)),
        manifest=manifest,
        stopped="failed",
    )
