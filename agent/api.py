"""Typed entry points to an audit for the page, the command line, MCP and callers in Python.

It decides nothing: it holds what is asked for and hands it to the loop. Heavy rooms are imported
inside the functions, so that importing this module is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.records.finding import Semantics
from audit.records.report import Report
from audit.records.upload import Upload
from audit.records.workload import DataLengths

DEFAULT_HARDWARE = "mi300x"
"""The card assumed when none is named and none is detected; the report says so."""
DEFAULT_INCLUDE: frozenset[Semantics] = frozenset({"neutral", "numerics"})
"""Edits that keep what is learned; `dynamics` edits are offered unless the user includes them."""


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What one audit is asked to look at, and on which card. Raw bytes stay in `uploads`."""

    uploads: tuple[Upload, ...]
    """The main file first; files that belong to it after."""
    hardware: str | None = None
    """A hardware id in any spelling; None: `mi300x`, origin `assumed`."""
    gpus: int = 1
    """GPUs per node."""
    nodes: int = 1
    lengths: DataLengths | None = None
    """Token lengths of the samples; None: the reader's assumption, marked so."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version whose defaults to read; empty: the reader's, origin `assumed`."""
    dialect: str | None = None
    """Format id that the user insists on; None: detected."""
    include: frozenset[Semantics] = DEFAULT_INCLUDE
    """Semantics of the edits that the patch may hold."""
    keep: frozenset[str] = frozenset()
    """Field names that the patch must leave as they are."""
    backend: str = "rules"
    runner: str = "fake"
    steps: int = 50
    """Timed optimizer steps per arm of a benchmark."""
    max_turns: int = 16
    """Turns that the backend may take before the rules finish the audit."""


def audit(request: AuditRequest) -> Report:
    """Run one audit to its end in this thread and return its report; nothing is kept on disk.

    Raises:
        UserError: the input, a name or the set-up is at fault; the message says what to do.
        GoblinError: the audit ended without a report for another reason.
    """
    raise NotImplementedError
