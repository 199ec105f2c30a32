"""What an audit has found so far: one frozen record that only the stages move forward.

Results have ids that tools and models use: wl_1 (as written), f_1.., patch_1, wl_2 (patched),
bench_1 (before), bench_2 (both arms).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from audit.records.attribution import Attribution
from audit.records.comparison import Comparison
from audit.records.errors import ModelMistake
from audit.records.finding import Check, Finding
from audit.records.lead import Lead
from audit.records.metrics import Bench
from audit.records.patch import Patch
from audit.records.profile import Profile
from audit.records.workload import Workload

AS_WRITTEN, PATCHED, PATCH, BEFORE, AFTER = "wl_1", "wl_2", "patch_1", "bench_1", "bench_2"


@dataclass(frozen=True, slots=True)
class AuditState:
    """Goes forward only: a stage returns a new one with its own result filled in."""

    workload: Workload | None = None
    """wl_1: the file as written."""
    profile: Profile | None = None
    findings: tuple[Finding, ...] | None = None
    """None before the knowledge base was asked; empty where no rule fired."""
    checked: tuple[Check, ...] = ()
    chosen: frozenset[str] | None = None
    """Ids of the findings that the backend wants acted on; None: all."""
    asked: frozenset[str] | None = None
    """The same as the backend named them; None where it named none."""
    patch: Patch | None = None
    patched: Workload | None = None
    """wl_2: the patched text, read again; None where no edit is applied."""
    starts_as_written: bool = True
    baseline: Workload | None = None
    """What runs as "before": wl_1, or the same file with only the edits that let it start."""
    baseline_env: tuple[tuple[str, str], ...] = ()
    """Variables of the baseline's process, where one of them lets the run start."""
    not_run: str | None = None
    """Why there are no figures, where there are none: what is not known, what does not start."""
    benches: tuple[Bench, ...] = ()
    attribution: Attribution | None = None
    """Which edits the measured difference comes from, and which were dropped for it."""
    comparison: Comparison | None = None
    leads: tuple[Lead, ...] = ()
    """What research brought back; no stage reads them."""

    def moved(self, **changes: Any) -> AuditState:
        """The next state."""
        return replace(self, **changes)

    def bench(self, bench_id: str) -> Bench | None:
        """One benchmark by its id."""
        return next((bench for bench in self.benches if bench.id == bench_id), None)

    @property
    def edited(self) -> bool:
        """Whether the patch changes anything."""
        return self.patch is not None and any(edit.applied for edit in self.patch.edits)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id that exists now."""
        return (
            *((AS_WRITTEN,) if self.workload else ()),
            *(finding.id for finding in self.findings or ()),
            *((PATCH,) if self.patch else ()),
            *((PATCHED,) if self.patched else ()),
            *(bench.id for bench in self.benches),
        )

    def need(self, wanted: str, *allowed: str) -> None:
        """Raise ModelMistake unless `wanted` is one of `allowed` and exists now."""
        there = [name for name in allowed if name in self.ids]
        if wanted not in there:
            known = ", ".join(there or self.ids) or "none yet"
            message = f"{wanted!r} cannot be used here; ids that can: {known}"
            raise ModelMistake(message)
