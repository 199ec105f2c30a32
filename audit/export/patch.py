"""The patch of a report as a file: the diff, under a head that `git apply` skips."""

from __future__ import annotations

from audit.export.numbers import count
from audit.records.report import Report


def patch_file(report: Report) -> str:
    """The diff with what it does and what to export beside it; empty where nothing is changed."""
    patch = report.patch
    if not patch.diff:
        return ""
    applied = [edit for edit in patch.edits if edit.applied]
    head = [f"GPU Goblin: {count(len(applied), 'edit')} of {report.workload_name}", ""]
    head += [f"{edit.field}: {', '.join(edit.rule_ids)} ({edit.semantics})" for edit in applied]
    head += [f"export {name}={value}" for name, value in patch.env.items()]
    plain = [" ".join(line.split()) for line in head]
    return "\n".join([*plain, "", patch.diff])
