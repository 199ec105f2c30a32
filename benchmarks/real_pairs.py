"""Real pairs of runs for the benchmarks: both arms of two workloads in one worker, all rows kept.

It goes past `LocalRunner`, which refuses a pair without an edit: an A/A pair is just that.
"""

from __future__ import annotations

from audit.records.measured import Manifest, MeasuredRun
from audit.records.spec import Arm, Spec, Stop
from audit.records.upload import Upload
from audit.records.workload import DataLengths, Workload
from benchmarks.manifest import manifest_of
from runner.box.system import read_system
from runner.local_box import calibrated, place_of
from runner.translation.translate import translate
from runner.worker.order import Order
from runner.worker_process import WorkerGone, WorkerProcess

START_SECONDS = 400.0
JOB_SECONDS = 900.0


class RealPairs:
    """One worker on this machine, with what its probe said of the box."""

    def __init__(self) -> None:
        self.worker = WorkerProcess()
        self.worker.send({"do": "probe"})
        event = list(self.worker.events(START_SECONDS))[-1]
        described = Manifest.model_validate(event["manifest"])
        self.manifest = manifest_of(described)
        self.place = place_of(described, event["rates"])
        self.card = calibrated(event["rates"], read_system().memory_gb)

    def measure(
        self, before: Workload, after: Workload, *, steps: int, stop: Stop, seed: int = 0
    ) -> MeasuredRun:
        """Both arms in interleaved rounds; raises WorkerGone where there is no result."""
        arms = (Arm(name="baseline", workload=before), Arm(name="patched", workload=after))
        spec = Spec(arms=arms, hardware=self.card.id, steps=steps, seed=seed, stop=stop)
        order = Order(
            translation=translate(spec, self.place, self.card),
            steps=steps,
            seed=seed,
            stop=stop,
            limit_s=JOB_SECONDS,
        )
        self.worker.send(order.model_dump(mode="json"))
        for event in self.worker.events(JOB_SECONDS + 60):
            if event["event"] == "result":
                return MeasuredRun.model_validate(event["run"])
        message = "the worker gave no result"
        raise WorkerGone(message)

    def close(self) -> None:
        """End the worker."""
        self.worker.end()


def config(text: str, *, p50: int, p95: int, most: int) -> Workload:
    """The workload of a config's text, with token lengths."""
    from workload.read import read_workload

    lengths = DataLengths(p50=p50, p95=p95, max=most, origin="stated", source="benchmark")
    return read_workload((Upload(name="train.yml", data=text.encode()),), lengths=lengths)
