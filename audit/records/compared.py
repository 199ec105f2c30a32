"""Several finished audits side by side: what each ended with, where the files differ, verdicts."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Json, Provenance, Record
from audit.records.comparison import Comparison
from audit.records.metrics import Metrics
from audit.records.report import HardwareUsed


class ComparedAudit(Record):
    """One audit of a comparison."""

    audit_id: str
    workload_name: str
    hardware: HardwareUsed
    provenance: Provenance
    findings: int
    edits: int
    """Applied ones."""
    arm: Literal["patched", "as written"]
    """Which run `metrics` and the fields speak of."""
    metrics: Metrics | None
    """None where the audit has no figures; the comparison says why."""


class ComparedField(Record):
    """One field that is not the same in all files; a value per audit, None where it is not set."""

    field: str
    values: tuple[Json, ...]


class Compared(Record):
    """Two or more audits; unlike card, counts or provenance is told, never compared."""

    audits: tuple[ComparedAudit, ...]
    fields: tuple[ComparedField, ...]
    comparisons: tuple[Comparison, ...]
    """Each audit but the first against the first, in order."""
