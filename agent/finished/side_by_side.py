"""Holds finished audits against each other: figures, differing fields, and what may be said of it.

Reports in, one record out; who opens the reports, and how it is shown, is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.export.numbers import count
from audit.records.base import Json
from audit.records.compared import Compared, ComparedAudit, ComparedField
from audit.records.comparison import Comparison
from audit.records.errors import UserError
from audit.records.report import Report

MAX_AUDITS = 12
"""More columns than a reader can hold against each other."""


def compare_reports(named: Sequence[tuple[str, Report]]) -> Compared:
    """Audits side by side, each against the first.

    Args:
        named: (audit id, report), at least two.

    Raises:
        UserError: fewer than two, or more than MAX_AUDITS.
    """
    if not 2 <= len(named) <= MAX_AUDITS:
        message = f"{count(len(named), 'audit')} cannot be compared"
        raise UserError(message, remedy=f"Give 2 to {MAX_AUDITS} audit ids.")
    audits = tuple(_audit(audit_id, report) for audit_id, report in named)
    return Compared(
        audits=audits,
        fields=_differing([_final_values(report) for _, report in named]),
        comparisons=tuple(
            _against(audits[0], other, report)
            for other, (_, report) in zip(audits[1:], named[1:], strict=True)
        ),
    )


def _audit(audit_id: str, report: Report) -> ComparedAudit:
    return ComparedAudit(
        audit_id=audit_id,
        workload_name=report.workload_name,
        hardware=report.hardware,
        provenance=report.provenance,
        findings=len(report.findings),
        edits=sum(edit.applied for edit in report.patch.edits),
        arm="patched" if report.after is not None else "as written",
        metrics=report.after or report.before,
    )


def _against(first: ComparedAudit, other: ComparedAudit, report: Report) -> Comparison:
    from runner.compare import compare_arms

    if first.metrics is None or other.metrics is None:
        lacking = other if other.metrics is None else first
        why = report.comparison.reason if lacking is other else ""
        return Comparison(
            before_id=first.audit_id,
            after_id=other.audit_id,
            verdict="not_comparable",
            reason=f"Not compared: {lacking.workload_name} has no figures. {why}".strip(),
        )
    return compare_arms(
        first.metrics, other.metrics, before_id=first.audit_id, after_id=other.audit_id
    )


def _final_values(report: Report) -> dict[str, Json]:
    """The fields of the file that `metrics` speaks of: as written, with the applied edits."""
    values = {name: field.value for name, field in report.fields.items()}
    if report.after is not None:
        for edit in report.patch.edits:
            if edit.applied:
                values[edit.field] = None if edit.remove else edit.after
    return values


def _differing(tables: Sequence[dict[str, Json]]) -> tuple[ComparedField, ...]:
    names = sorted({name for table in tables for name in table})
    rows = (
        ComparedField(field=name, values=tuple(table.get(name) for table in tables))
        for name in names
    )
    return tuple(row for row in rows if any(value != row.values[0] for value in row.values))
