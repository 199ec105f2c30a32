"""The workloads of a finished audit, from its report alone: as written, before, and patched.

A link that only reads has no uploaded bytes, and needs none: a report holds every field that was
read, redacted. The patched workload is planned on the fields, not read again from the text, so
`reproduces` holds its projection against that of the audit before anybody relies on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.patching.plan import with_edits
from audit.records.errors import MissingFacts
from audit.records.metrics import Metrics
from audit.records.patch import Edit
from audit.records.report import Report
from audit.records.spec import Anchor
from audit.records.workload import Workload

OURS = ("goblin", "kb", "estimator")
"""Versions in a report that are not of the user's packages."""
ALIKE = 1e-6
"""Two projections of one file differ by less than this."""


def as_written(report: Report) -> Workload:
    """The file as it was read."""
    return Workload(
        name=report.workload_name,
        format=report.format,
        framework=report.framework,
        files=report.files,
        fields=report.fields,
        versions={name: text for name, text in report.versions.items() if name not in OURS},
        versions_origin=report.versions_origin,
        lengths=report.lengths,
        notices=report.notices,
    )


def startable(report: Report) -> Workload:
    """The file with only the edits that let it start on the audited card: what "before" is."""
    written = as_written(report)
    if report.starts_as_written:
        return written
    stops = {finding.rule_id for finding in report.findings if finding.stops_run}
    return _edited(written, (edit for edit in report.patch.edits if stops & set(edit.rule_ids)))


def patched(report: Report) -> Workload | None:
    """The file with the patch; None where no edit is applied."""
    if not any(edit.applied for edit in report.patch.edits):
        return None
    return _edited(as_written(report), report.patch.edits)


def reproduces(workload: Workload, arm: Metrics | None, report: Report) -> bool:
    """Whether a workload made from a report is the one that an arm of it is of.

    Equal fingerprints are enough. Fields that nothing is projected from may differ (what a
    framework derives from another field), so an equal projected step is enough too.
    """
    from kb.catalog.hardware import find_hardware
    from runner.estimator.estimate import estimate_workload

    if arm is None or arm.workload == workload.fingerprint:
        return True
    if arm.provenance != "projected" or arm.step_s is None or arm.peak_memory_gb is None:
        return arm.provenance == "projected" and arm.failure is not None
    card, used = find_hardware(report.hardware.id), report.hardware
    try:
        found = estimate_workload(workload, card, used.gpus, used.nodes, anchor_of(report))
    except MissingFacts:
        return False
    pairs = ((found.step_s, arm.step_s), (found.peak_memory_gb, arm.peak_memory_gb))
    return all(abs(ours.value / theirs.value - 1) < ALIKE for ours, theirs in pairs)


def anchor_of(report: Report) -> Anchor | None:
    """The step time before, where the audit knows it better than by projection alone.

    It is evidence for the audited card and counts only.
    """
    before = report.before
    if before is None or before.step_s is None:
        return None
    if before.provenance == "projected" and not before.anchored:
        return None
    return Anchor(workload=startable(report), step_s=before.step_s.value, source="the audit")


def _edited(workload: Workload, edits: Iterable[Edit]) -> Workload:
    return with_edits(workload, [edit.asked for edit in edits if edit.applied])
