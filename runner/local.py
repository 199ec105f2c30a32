"""LocalRunner: measures on this machine, through the worker, and sets the provenance `measured`.

It runs nothing of the user's: a workload is translated first (`runner.translation`). One worker
serves every call of an audit; `close` ends it with everything that it started.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

from audit.records.errors import RunFailed, SetupError, UserError
from audit.records.events import StepPoint
from audit.records.measured import Manifest, MeasuredRun
from audit.records.metrics import Bench
from audit.records.spec import Spec
from kb.catalog.hardware import Hardware, find_hardware
from runner.local_box import Box, calibrated, local_id, place_of
from runner.local_task import Task, limits_of, task_of
from runner.measured_figures import NAME, measured_metrics
from runner.news import until_end
from runner.protocol import Capabilities, Progress, Quote, RunStatus
from runner.result_cache import FROM_CACHE, ResultCache
from runner.unshown import nothing_measured
from runner.worker.order import Order
from runner.worker.plain import plain_line
from runner.worker_process import WorkerGone, WorkerProcess

START_SECONDS = 330.0


class Run:
    """One submitted spec."""

    def __init__(self, spec: Spec, task: Task) -> None:
        self.spec, self.task = spec, task
        self.status: RunStatus = "queued"
        self.result: MeasuredRun | None = None
        self.reason = ""
        self.news: Queue[Progress | None] = Queue()
        self.stop = threading.Event()
        self.used_s = 0.0
        """Wall time in the worker."""


class LocalRunner:
    """Runs both arms of a spec on this box."""

    def __init__(
        self,
        cache: Path | None = None,
        usd_per_gpu_hour: float | None = None,
        python: str = sys.executable,
    ) -> None:
        """`cache`: where finished results are kept; None: every call measures."""
        self._cache = ResultCache(cache)
        self._price = usd_per_gpu_hour
        self._python = python
        self._worker: WorkerProcess | None = None
        self._box: Box | None = None
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    def capabilities(self) -> Capabilities:
        """This box alone, measured; free unless the operator names a price."""
        return Capabilities(
            name=NAME,
            provenance="measured",
            hardware=(local_id(),),
            billable=self._price is not None,
        )

    def card(self) -> Hardware:
        """The card of this box; a CPU is calibrated by a probe of matrix products.

        Raises:
            SetupError: torch is not installed, or cannot use the card that is here.
        """
        return self.box().hardware

    def box(self) -> Box:
        """The box, asked once."""
        if self._box is None:
            manifest, rates = self._probe()
            place = place_of(manifest, rates)
            card = find_hardware(local_id())
            if not place.gpu:
                from runner.box.system import read_system

                card = calibrated(rates, read_system().memory_gb)
            self._box = Box(manifest, place, card)
        return self._box

    def quote(self, spec: Spec) -> Quote:
        """Seconds at most, and dollars where the operator names a price per GPU hour.

        Raises:
            MissingFacts: the file does not say enough to be run.
            UserError: another card, more cards than are here, or several nodes.
        """
        self._check(spec)
        task = task_of(spec, self.box(), self._cache)
        if task.order is None:
            return Quote(0.0, 0.0, "none of the edits can be measured here", free=True)
        if self._cache.find(task.key) is not None:
            return Quote(0.0, 0.0, FROM_CACHE, free=True)
        seconds = limits_of(spec).whole
        if self._price is None:
            return Quote(seconds, 0.0, "measured on this machine")
        note = (
            f"at most, measured on this machine: {spec.gpus} x ${self._price:g} per GPU hour, "
            "which its operator states; billed for the time that a run takes"
        )
        return Quote(seconds, self._price * seconds / 3600 * spec.gpus, note)

    def submit(self, spec: Spec) -> str:
        """Translate and start; returns the run id at once.

        Raises:
            MissingFacts: the file does not say enough to be run.
            UserError: see `quote`.
        """
        self._check(spec)
        run = Run(spec, task_of(spec, self.box(), self._cache))
        run_id = f"{NAME}_{len(self._runs) + 1}"
        self._runs[run_id] = run
        threading.Thread(target=self._work, args=(run,), daemon=True).start()
        return run_id

    def events(self, run_id: str) -> Iterator[Progress]:
        """Progress until the run ends; an empty text in between lets the caller look around."""
        yield from until_end(self._run(run_id).news)

    def status(self, run_id: str) -> RunStatus:
        """Where the run stands; lost: the worker is gone and nobody cancelled."""
        return self._run(run_id).status

    def cancel(self, run_id: str) -> None:
        """End the worker with all its processes; an ended run stays as it is."""
        run = self._run(run_id)
        if run.status in ("queued", "running"):
            run.status = "cancelled"
            run.stop.set()
            self.close()

    def billed(self, run_id: str) -> float | None:
        """The operator's price for the time that the cards were in use; a kept result is free."""
        run = self._run(run_id)
        return (self._price or 0.0) * run.used_s / 3600 * run.spec.gpus

    def collect(self, run_id: str, bench_id: str) -> Bench:
        """The figures of every arm.

        Raises:
            RunFailed: no arm gave any, with the reason.
        """
        run = self._run(run_id)
        if run.result is None:
            reason = run.reason or f"the run is {run.status}"
            raise RunFailed(reason)
        metrics = measured_metrics(run.result, run.spec, self.box().hardware)
        return Bench(id=bench_id, spec=run.spec.conditions, arms=metrics, measured=run.result)

    def close(self) -> None:
        """End the worker; the next call starts another."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _check(self, spec: Spec) -> None:
        if find_hardware(spec.hardware).id != local_id():
            message = f"the local runner measures on {local_id()}, not on {spec.hardware}"
            raise UserError(message, remedy="Leave --hardware out.")
        if spec.nodes > 1:
            message = "the local runner measures on one machine"
            raise UserError(message, remedy="Leave --nodes out.")
        if spec.terms is not None and (spec.terms.flavor or spec.terms.namespace):
            message = "the local runner has this one machine, and its operator is who pays"
            raise UserError(message, remedy="Leave machine and payer out.")
        here = self.box().manifest
        if here.device_kind != "cpu" and spec.gpus > here.devices:
            message = f"{spec.gpus} GPUs are asked for and {here.devices} are here"
            raise UserError(message, remedy=f"Give --gpus {here.devices} or less.")

    def _run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            message = f'there is no run "{run_id}"'
            raise SetupError(message, remedy="Submit a spec first.")
        return self._runs[run_id]

    def _probe(self) -> tuple[Manifest, dict[str, float]]:
        try:
            worker = self._alive()
            worker.send({"do": "probe"})
            for event in worker.events(START_SECONDS):
                if event.get("event") == "probe":
                    return Manifest.model_validate(event["manifest"]), dict(event["rates"])
            message = "the worker does not answer"
            raise WorkerGone(message)
        except WorkerGone as gone:
            self.close()
            message = f"the measuring worker does not start ({gone})"
            remedy = "Install torch, transformers and peft for this Python, or use --runner fake."
            raise SetupError(message, remedy=remedy) from gone

    def _alive(self) -> WorkerProcess:
        with self._lock:
            if self._worker is None or not self._worker.alive:
                self._worker = WorkerProcess(self._python)
            return self._worker

    def _work(self, run: Run) -> None:
        """The run's thread: from the cache, or through the worker."""
        try:
            run.status = "running" if run.status == "queued" else run.status
            run.result = self._measured(run)
            if run.status != "cancelled":
                failed = all(arm.failure or not arm.timed for arm in run.result.arms)
                run.status = "failed" if failed else "succeeded"
        except WorkerGone as gone:
            if run.status != "cancelled":
                run.status, run.reason = "lost", str(gone)
            self.close()
        except Exception as error:  # a thread that dies in silence would leave the run "running"
            if run.status != "cancelled":
                run.status, run.reason = "lost", f"{type(error).__name__}: {plain_line(str(error))}"
            self.close()
        finally:
            run.news.put(None)

    def _measured(self, run: Run) -> MeasuredRun:
        task = run.task
        if task.order is None:
            earlier = [one.result for one in self._runs.values() if one.result]
            return nothing_measured(task.translation, self.box().manifest, earlier)
        kept = self._cache.find(task.key)
        if kept is not None:
            run.news.put(Progress(f"measured before with the same settings: {FROM_CACHE}"))
            return kept
        found = self._ordered(run, task.order)
        self._cache.keep(task.key, found)
        return found

    def _ordered(self, run: Run, order: Order) -> MeasuredRun:
        worker, start = self._alive(), time.monotonic()
        worker.send(order.model_dump(mode="json"))
        try:
            for event in worker.events(limits_of(run.spec).whole, run.stop.is_set):
                if event["event"] == "result":
                    return MeasuredRun.model_validate(event["run"])
                if event["event"] == "error":
                    raise WorkerGone(str(event["text"]))
                run.news.put(_told(event))
        finally:
            run.used_s = time.monotonic() - start
        message = "cancelled"
        raise WorkerGone(message)


def _told(event: dict[str, Any]) -> Progress:
    point = event.get("point")
    return Progress(
        str(event["text"]),
        done=event.get("done"),
        total=event.get("total"),
        point=StepPoint(**point) if point else None,
    )
