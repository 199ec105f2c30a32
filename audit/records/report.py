"""The report: what an audit ends with, and what every page, export and caller shows."""

from __future__ import annotations

from typing import Literal

from audit.records.attribution import Attribution
from audit.records.base import Provenance, Record
from audit.records.comparison import Comparison
from audit.records.finding import Check, Finding, Source
from audit.records.lead import Lead
from audit.records.metrics import Metrics
from audit.records.patch import Patch
from audit.records.profile import Profile
from audit.records.workload import DataLengths, FieldValue, Notice, SourceFile

CompletedBy = Literal["model", "model+rules", "rules"]


class HardwareUsed(Record):
    """The card the report speaks of."""

    id: str
    name: str
    memory_gb: float | None
    """Capacity per GPU, 1e9 bytes."""
    gpus: int
    nodes: int
    origin: Literal["stated", "detected", "assumed"]


class Believe(Record):
    """The estimator's own error on published runs: why (not) to believe a projected number."""

    text: str
    runs: int
    mean_error: float
    median_error: float
    """Fractions, leave-group-out, of throughput."""
    within_20: float
    amd_runs: int
    amd_median_error: float | None
    interval_coverage: float


class Report(Record):
    """A whole audit, self-contained and redacted."""

    version: int = 1
    workload_name: str
    tier: Literal[0, 1, 2, 3]
    completed_by: CompletedBy
    provenance: Provenance
    format: str
    framework: str
    files: tuple[SourceFile, ...]
    hardware: HardwareUsed
    fields: dict[str, FieldValue]
    lengths: DataLengths | None
    notices: tuple[Notice, ...]
    starts_as_written: bool
    """False: a critical finding stops the run; `before` is then the file with only those edits."""
    findings: tuple[Finding, ...]
    patch: Patch
    profile: Profile
    before: Metrics | None
    after: Metrics | None
    comparison: Comparison
    checked: tuple[Check, ...]
    sources: tuple[Source, ...]
    versions: dict[str, str]
    """Packages whose defaults were read, plus goblin, kb and estimator."""
    versions_origin: Literal["stated", "assumed"]
    believe: Believe | None
    seconds: float
    """Wall time of the audit."""
    leads: tuple[Lead, ...] = ()
    """What research brought back: unverified, never applied."""
    attribution: Attribution | None = None
    """Staged re-runs of a measured patch: who is to blame, or who earned what. None: not measured,
    or one edit alone."""
