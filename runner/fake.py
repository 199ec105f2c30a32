"""FakeRunner: the estimator behind the runner protocol. Deterministic, projected always.

An arm that would not fit is a result without figures ("projected out of memory: ..."). Whether a
file can start at all is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.records.base import Interval
from audit.records.errors import SetupError
from audit.records.metrics import Bench, Metrics
from audit.records.spec import Arm, Spec
from kb.catalog.hardware import Hardware, find_hardware
from runner.estimator.card import capacity_gb
from runner.estimator.estimate import Estimate, estimate_workload
from runner.protocol import Capabilities, Progress, Quote, RunStatus

NAME = "fake"


class FakeRunner:
    """Projects both arms of a spec; nothing runs and nothing is billed."""

    def __init__(self, card: Hardware | None = None) -> None:
        """`card`: one with figures of its own, such as a calibrated CPU; None: the catalogue's."""
        self._card = card
        self._specs: dict[str, Spec] = {}
        self._status: dict[str, RunStatus] = {}

    def capabilities(self) -> Capabilities:
        """Any card of the catalogue, projected, free."""
        return Capabilities(name=NAME, provenance="projected", hardware=None, billable=False)

    def quote(self, spec: Spec) -> Quote:
        """Costs nothing; raises UnknownName for a card that is not in the catalogue."""
        self._hardware(spec)
        return Quote(seconds=0.0, usd=0.0, note="projected, nothing runs")

    def submit(self, spec: Spec) -> str:
        """Accept a spec; returns the run id."""
        self._hardware(spec)
        run_id = f"{NAME}_{len(self._specs) + 1}"
        self._specs[run_id] = spec
        self._status[run_id] = "succeeded"
        return run_id

    def events(self, run_id: str) -> Iterator[Progress]:
        """One line per arm."""
        spec = self._spec(run_id)
        for number, arm in enumerate(spec.arms, start=1):
            yield Progress(f"projecting {arm.name}", done=number, total=len(spec.arms))

    def status(self, run_id: str) -> RunStatus:
        """Succeeded as soon as it is submitted, unless cancelled."""
        self._spec(run_id)
        return self._status[run_id]

    def cancel(self, run_id: str) -> None:
        """A projection has ended before it can be cancelled: nothing happens."""
        self._spec(run_id)

    def billed(self, run_id: str) -> float | None:
        """Nothing."""
        self._spec(run_id)
        return 0.0

    def collect(self, run_id: str, bench_id: str) -> Bench:
        """The projected figures of every arm.

        Raises:
            MissingFacts: a workload does not say what the estimate needs.
        """
        spec = self._spec(run_id)
        hardware = self._hardware(spec)
        arms = tuple(_arm(arm, spec, hardware) for arm in spec.arms)
        return Bench(id=bench_id, spec=spec.conditions, arms=arms)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _hardware(self, spec: Spec) -> Hardware:
        if self._card is not None and self._card.id == spec.hardware:
            return self._card
        return find_hardware(spec.hardware)

    def _spec(self, run_id: str) -> Spec:
        if run_id not in self._specs:
            message = f'there is no run "{run_id}"'
            raise SetupError(message, remedy="Submit a spec first.")
        return self._specs[run_id]


def _arm(arm: Arm, spec: Spec, hardware: Hardware) -> Metrics:
    blank = Metrics(
        arm=arm.name,
        workload=arm.workload.fingerprint,
        runner=NAME,
        provenance="projected",
        hardware=hardware.id,
        gpus=spec.gpus,
        nodes=spec.nodes,
        steps=spec.steps,
    )
    found = estimate_workload(arm.workload, hardware, spec.gpus, spec.nodes, spec.anchor)
    failure = out_of_memory(found, hardware)
    if failure:
        return blank.model_copy(update={"failure": failure})
    exact = found.padding_efficiency
    return blank.model_copy(
        update={
            "anchored": found.anchored,
            "tokens_per_s_per_gpu": found.tokens_per_s_per_gpu,
            "tokens_per_s": found.tokens_per_s,
            "samples_per_s": found.samples_per_s,
            "step_s": found.step_s,
            "mfu": found.mfu,
            "peak_memory_gb": found.peak_memory_gb,
            "memory_kind": "allocated",
            "padding_efficiency": Interval(low=exact, value=exact, high=exact),
            "breakdown": found.breakdown,
            "memory": found.memory,
        }
    )


def out_of_memory(found: Estimate, hardware: Hardware) -> str | None:
    """Why the projected peak is more than the card holds; None where it fits."""
    capacity = capacity_gb(hardware)
    if capacity is None or found.peak_memory_gb.value <= capacity:
        return None
    return f"projected out of memory: {found.peak_memory_gb.value:.0f} GB of {capacity:.0f} GB"
