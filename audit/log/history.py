"""What a history shows of an audit: one line, taken from its first and its last event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from audit.records.base import Json

AuditStatus = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Summary:
    """One audit of the log, for a history."""

    audit_id: str
    status: AuditStatus
    created: str
    """UTC, ISO 8601."""
    workload_name: str = ""
    hardware: str = ""
    verdict: str | None = None
    findings: int | None = None
    speedup: float | None = None
    """After / before, as in the report's comparison."""
    provenance: str | None = None
    format: str = ""
    gpus: int = 1
    """All of them, over all nodes."""
    low: float | None = None
    high: float | None = None
    """The ends of the speedup's interval."""
    severities: dict[str, int] = field(default_factory=dict)
    """Findings by severity."""


def summarise(kind: str, data: dict[str, Json]) -> dict[str, Json]:
    """What a history shows of a started or a finished audit."""
    if kind == "started":
        return {
            "workload_name": data["workload_name"],
            "hardware": data["hardware"],
            "gpus": data["gpus"] * data["nodes"],
        }
    if kind != "final_report":
        return {}
    report = data["report"]
    speedup = report["comparison"]["speedup"]
    return {
        "workload_name": report["workload_name"],
        "verdict": report["comparison"]["verdict"],
        "findings": len(report["findings"]),
        "speedup": speedup["value"] if speedup else None,
        "provenance": report["provenance"],
        "format": report["format"],
        "low": speedup["low"] if speedup else None,
        "high": speedup["high"] if speedup else None,
        "severities": dict(Counter(finding["severity"] for finding in report["findings"])),
    }
