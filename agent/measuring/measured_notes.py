"""What a report says of a measurement beside its figures: what ran, how it differs, on what."""

from __future__ import annotations

from collections.abc import Iterator

from agent.state import AuditState
from audit.export.numbers import count
from audit.records.measured import Manifest, MeasuredRun
from audit.records.workload import Notice


def measured_notices(state: AuditState) -> tuple[Notice, ...]:
    """Notices on the last benchmark that ran; none where nothing was measured."""
    runs = [bench.measured for bench in state.benches if bench.measured is not None]
    if not runs:
        return ()
    last = runs[-1]
    texts = list(_sentences(last))
    if last.from_cache:
        rented = any(arm.runner != "local" for bench in state.benches for arm in bench.arms)
        place = "a rented machine of this kind" if rented else "this box"
        texts.append(
            f"Measured earlier on {place} with the same settings and versions; not run again: from "
            "cache, costs nothing."
        )
    return tuple(Notice(kind="note", message=text, about="runs") for text in texts)


def attribution_notices(state: AuditState) -> tuple[Notice, ...]:
    """What staged re-runs found out about single edits; none where there were none."""
    found = state.attribution
    if found is None or not found.told:
        return ()
    return (Notice(kind="note", message=found.told, about="runs"),)


def _sentences(run: MeasuredRun) -> Iterator[str]:
    yield from run.translation.notes
    for one in run.translation.unmeasured:
        yield f"The edit of {one.field} was not measured: {one.reason}."
    for arm in run.arms:
        for row in arm.readback:
            if not row.effective:
                yield (
                    f"{arm.arm}: {row.field} should be {row.wanted} and was {row.seen} ({row.how})."
                )
    yield _where(run.manifest)
    if run.stopped == "budget_used":
        yield "The measurement ended when its time was used, before all steps were done."


def _where(manifest: Manifest) -> str:
    device = manifest.processor if manifest.device_kind == "cpu" else manifest.device
    parts = [device or manifest.device_kind]
    if manifest.device_kind == "cpu" and manifest.threads and manifest.cores:
        threads, cores = count(manifest.threads, "thread"), count(manifest.cores, "core")
        parts.append(f"{threads} of {cores}")
    if manifest.ranks > 1:
        parts.append(f"{manifest.ranks} ranks")
    if manifest.driver:
        parts.append(f"driver {manifest.driver}")
    if manifest.runtime:
        parts.append(f"runtime {manifest.runtime}")
    parts += [f"{name} {manifest.versions[name]}" for name in ("torch", "transformers", "peft")
              if name in manifest.versions]  # fmt: skip
    if manifest.load_before is not None:
        parts.append(f"load {manifest.load_before:.1f} when it began")
    return f"Measured on {', '.join(parts)}."
