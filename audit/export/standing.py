"""Says where each finding stands in a report: in the patch, offered, left out, or advice only."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.records.finding import Finding
from audit.records.patch import Edit
from audit.records.report import Report

Standing = Literal["in_patch", "partly", "offered", "left_out", "advice"]

WORDS: dict[Standing, str] = {
    "in_patch": "In patch",
    "partly": "Partly in patch",
    "offered": "Left out",
    "left_out": "Left out",
    "advice": "Advice, no edit",
}


class Placed(NamedTuple):
    """A finding with its place in the patch."""

    finding: Finding
    standing: Standing
    edits: tuple[Edit, ...]

    @property
    def group(self) -> str:
        """What it is counted under: its severity, or `offered` where the cure changes training.

        A critical finding stays critical whatever its cure is.
        """
        offered = self.standing == "offered" and self.finding.severity != "critical"
        return "offered" if offered else self.finding.severity


def edits_of(finding: Finding, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits of the patch that this finding asked for."""
    by_id = tuple(edit for edit in edits if finding.id in edit.finding_ids)
    if by_id:
        return by_id
    fields = {edit.field for edit in finding.edits}
    return tuple(
        edit for edit in edits if finding.rule_id in edit.rule_ids and edit.field in fields
    )


def standing_of(finding: Finding, edits: tuple[Edit, ...]) -> Standing:
    """Where the finding stands, given the edits that belong to it."""
    if not finding.edits:
        return "advice"
    applied = [edit.applied for edit in edits]
    if applied and all(applied):
        return "in_patch"
    if any(applied):
        return "partly"
    return "offered" if finding.semantics == "dynamics" else "left_out"


def place_findings(report: Report) -> tuple[Placed, ...]:
    """The findings of a report in its own order, each with its edits and standing."""
    placed = []
    for finding in report.findings:
        edits = edits_of(finding, report.patch.edits)
        placed.append(Placed(finding, standing_of(finding, edits), edits))
    return tuple(placed)
