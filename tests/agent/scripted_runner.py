"""A runner whose figures a function of the workload gives, called measured; to test attribution.

It keeps the whole protocol; nothing about it is patched in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from audit.records.base import Interval
from audit.records.metrics import Bench, Metrics
from audit.records.spec import Arm, Spec
from audit.records.workload import Workload
from runner.protocol import Capabilities, Progress, Quote, RunStatus

Speed = Callable[[Workload], float | str]
"""Tokens per second of a workload, or how its run fails."""


class ScriptedRunner:
    """Runs a script; keeps every spec that it was given."""

    def __init__(self, speed: Speed, *, billable: bool = False, spread: float = 0.01) -> None:
        self.speed, self.billable, self.spread = speed, billable, spread
        self.specs: list[Spec] = []

    def capabilities(self) -> Capabilities:
        """Measured, on any card."""
        return Capabilities(
            name="scripted", provenance="measured", hardware=None, billable=self.billable
        )

    def quote(self, spec: Spec) -> Quote:
        """A second, a cent where it costs."""
        return Quote(seconds=1.0, usd=0.01 if self.billable else 0.0)

    def submit(self, spec: Spec) -> str:
        """Keep it."""
        self.specs.append(spec)
        return str(len(self.specs) - 1)

    def events(self, run_id: str) -> Iterator[Progress]:
        """One line."""
        yield Progress(f"run {run_id}")

    def status(self, run_id: str) -> RunStatus:
        """Always over."""
        return "succeeded"

    def cancel(self, run_id: str) -> None:
        """Nothing is under way."""

    def billed(self, run_id: str) -> float | None:
        """As quoted."""
        return 0.01 if self.billable else 0.0

    def collect(self, run_id: str, bench_id: str) -> Bench:
        """The script's figures."""
        spec = self.specs[int(run_id)]
        arms = tuple(self._arm(arm, spec) for arm in spec.arms)
        return Bench(id=bench_id, spec=spec.conditions, arms=arms)

    def close(self) -> None:
        """Nothing is held."""

    def _arm(self, arm: Arm, spec: Spec) -> Metrics:
        blank = Metrics(
            arm=arm.name, workload=arm.workload.fingerprint, runner="scripted",
            provenance="measured", hardware=spec.hardware, gpus=spec.gpus, nodes=spec.nodes,
            steps=spec.steps,
        )  # fmt: skip
        value = self.speed(arm.workload)
        if isinstance(value, str):
            return blank.model_copy(update={"failure": value})
        span = Interval(low=value * (1 - self.spread), value=value, high=value * (1 + self.spread))
        return blank.model_copy(update={"tokens_per_s": span, "step_s": span})
