"""The report as JSON: the very record, so that whoever reads it can build a Report again."""

from __future__ import annotations

from audit.records.report import Report


def report_json(report: Report) -> str:
    """One JSON object, indented, with a line feed at its end."""
    return report.model_dump_json(indent=2) + "\n"
