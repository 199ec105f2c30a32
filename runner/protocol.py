"""What a runner is: the seam between an audit and whoever measures or projects.

A runner sets the provenance of its figures; nothing downstream raises it. `collect` raises
`RunFailed` only when no arm gave figures at all; an arm that failed carries `failure`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from audit.records.base import Provenance
from audit.records.events import StepPoint
from audit.records.metrics import Bench
from audit.records.spec import Spec

RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a runner can do."""

    name: str
    provenance: Provenance
    hardware: tuple[str, ...] | None
    """Hardware ids it can run on; None: any in the catalogue."""
    billable: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run will cost before it starts."""

    seconds: float
    """At most."""
    usd: float | None
    """At most; None: the price is not known."""
    note: str = ""
    """How the price comes about and what it assumes, for whoever is asked."""
    free: bool = False
    """Nothing will run: its result is kept from an earlier run, or there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of a run's own log or progress, already redacted."""

    text: str
    """Empty: nothing new; the run goes on."""
    done: int | None = None
    total: int | None = None
    point: StepPoint | None = None


class Runner(Protocol):
    """Quote, submit, watch, cancel, collect. `submit` returns at once with a run id."""

    def capabilities(self) -> Capabilities:
        """What this runner can do."""
        ...

    def quote(self, spec: Spec) -> Quote:
        """Time and money for `spec`; raises UserError where it cannot run."""
        ...

    def submit(self, spec: Spec) -> str:
        """Start; returns the run id."""
        ...

    def events(self, run_id: str) -> Iterator[Progress]:
        """Progress until the run ends."""
        ...

    def status(self, run_id: str) -> RunStatus:
        """Where the run stands."""
        ...

    def cancel(self, run_id: str) -> None:
        """Stop the run; cancelling an ended one does nothing."""
        ...

    def billed(self, run_id: str) -> float | None:
        """Dollars that an ended run cost; None: not known, such as a bill that has not come."""
        ...

    def collect(self, run_id: str, bench_id: str) -> Bench:
        """The figures; raises RunFailed with the reason when there are none."""
        ...

    def close(self) -> None:
        """Let go of what the runner holds: a worker, a connection. The audit is over."""
        ...
