"""Follows one job to its end: its stage, its log, its cards; then says how it ended."""

from __future__ import annotations

import contextlib
import threading
import time
from queue import Queue
from typing import TYPE_CHECKING, Any, NamedTuple

from audit.records.errors import UnknownName
from audit.records.measured import MeasuredRun
from audit.records.spec import Spec
from audit.records.translated import Translation
from kb.catalog.hardware import find_hardware
from runner.protocol import Progress, RunStatus
from runner.remote.flavors import Flavor
from runner.remote.hf_access import HubRefused, asked
from runner.remote.hf_terms import times_of
from runner.remote.job_log import JobLog
from runner.worker.order import Order
from runner.worker.plain import plain_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi, JobInfo

ENDED = frozenset({"COMPLETED", "CANCELED", "ERROR", "DELETED"})
QUEUE_SECONDS = 1800.0
"""Waiting for a machine beyond the job's own time limit; then it is cancelled and given up."""
GIVE_UP = 12
"""Looks in a row without an answer, after which the job is lost."""
METRICS_EVERY = 6
"""Looks at the job between two looks at its cards."""
LAST_READS = 3


class Task(NamedTuple):
    """A spec as a rented machine would run it."""

    flavor: Flavor
    translation: Translation
    order: Order | None
    """None: none of its edits can be shown there, so nothing is rented."""
    key: str
    """Of a kept result."""


class Rented:
    """One submitted spec and the job that runs it."""

    def __init__(self, spec: Spec, task: Task, mark: str) -> None:
        self.spec, self.task, self.mark = spec, task, mark
        self.translation, self.flavor = task.translation, task.flavor
        self.job_id = self.namespace = ""
        self.status: RunStatus = "queued"
        self.stage = self.message = self.reason = ""
        self.doubtful = False
        """It was asked for, and whether it was started is not known."""
        self.running_s: float | None = None
        self.result: MeasuredRun | None = None
        self.log = JobLog(mark)
        self.news: Queue[Progress | None] = Queue()
        self.stop = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether the service says so."""
        return self.stage in ENDED

    def see(self, job: JobInfo) -> None:
        """Take over what the service says of the job."""
        stage = getattr(job.status.stage, "value", job.status.stage)
        if stage != self.stage and not self.stop.is_set():
            self.news.put(Progress(f"Hugging Face Jobs: {plain_line(str(stage)).lower()}"))
        self.stage = str(stage)
        self.message = plain_line(str(job.status.message or ""))
        seconds = job.durations.running_secs if job.durations else None
        self.running_s = float(seconds) if seconds is not None and seconds >= 0 else self.running_s
        if self.stage == "RUNNING" and self.status == "queued":
            self.status = "running"


def watch(run: Rented, api: HfApi, poll_s: float) -> None:
    """The run's thread; leaves it with a status, and a result or a reason."""
    try:
        threading.Thread(target=_read, args=(run, api, True), daemon=True).start()
        lost = _look(run, api, poll_s)
        if run.status == "cancelled":
            return
        for _ in range(LAST_READS):
            if run.log.result() is not None or run.stage == "DELETED":
                break
            _read(run, api, follow=False)
            run.stop.wait(min(1.0, poll_s))
        _conclude(run, lost)
    finally:
        run.stop.set()
        run.news.put(None)


def _look(run: Rented, api: HfApi, poll_s: float) -> str:
    """Ask for the stage until the job has ended; why it is lost where that is not to be seen."""
    end = time.monotonic() + times_of(run.spec).job + QUEUE_SECONDS
    silent = looks = 0
    while not run.stop.is_set():
        try:
            run.see(asked(lambda: api.inspect_job(job_id=run.job_id, namespace=run.namespace)))
            silent = 0
        except HubRefused as refused:
            silent += 1
            if refused.status == 404 or silent >= GIVE_UP:
                return f"the job cannot be seen any more ({refused})"
        if run.ended:
            return ""
        if time.monotonic() > end:
            with contextlib.suppress(HubRefused):
                asked(lambda: api.cancel_job(job_id=run.job_id, namespace=run.namespace))
            return "the job did not end within its time limit and half an hour of waiting"
        if run.stage == "RUNNING" and looks % METRICS_EVERY == 0:
            _metrics(run, api)
        looks += 1
        run.stop.wait(poll_s)
    return ""


def _read(run: Rented, api: HfApi, follow: bool) -> None:
    """Read the log from its beginning; followed, it is taken up again where it breaks off."""
    while True:
        with contextlib.suppress(HubRefused):  # whether the job is over is the watcher's affair
            asked(lambda: _lines(run, api, follow))
        if not follow or run.stop.wait(1.0) or run.ended:
            return


def _lines(run: Rented, api: HfApi, follow: bool) -> None:
    for line in api.fetch_job_logs(job_id=run.job_id, namespace=run.namespace, follow=follow):
        if run.stop.is_set():
            return
        news = run.log.take(line)
        if news is not None:
            run.news.put(news)


def _metrics(run: Rented, api: HfApi) -> None:
    """One line on how busy the cards are; a service that does not tell is no fault."""
    with contextlib.suppress(HubRefused):
        found = asked(
            lambda: list(api.fetch_job_metrics(job_id=run.job_id, namespace=run.namespace))
        )
        text = asked(lambda: metrics_text(found[0])) if found else ""
        if text:
            run.news.put(Progress(text))


def metrics_text(sample: dict[str, Any]) -> str:
    """`GPU 87% busy, 12.3 of 22.8 GB`: the mean and the sums over the job's cards; "" without."""
    cards = list(sample["gpus"].values())
    if not cards:
        return ""
    busy = sum(float(card["utilization"]) for card in cards) / len(cards)
    used, whole = (
        sum(float(card[name]) for card in cards) / 1e9
        for name in ("memory_used_bytes", "memory_total_bytes")
    )
    return f"GPU {busy:.0f}% busy, {used:.1f} of {whole:.1f} GB"


def _conclude(run: Rented, lost: str) -> None:
    """Status, and the result or why there is none."""
    found = run.log.result()
    wrong = _foreign(run, found) if found else ""
    if found and not wrong:
        failed = all(arm.failure or not arm.timed for arm in found.arms)
        run.result, run.status = found, "failed" if failed else "succeeded"
        return
    told = f": {run.message}" if run.message else ""
    said = f" ({run.log.error})" if run.log.error else ""
    if wrong:
        run.status, run.reason = "failed", wrong
    elif lost or run.stage == "DELETED":
        run.status, run.reason = "lost", lost or f"the job was deleted on Hugging Face{told}"
    elif run.stage == "CANCELED":
        run.status, run.reason = "cancelled", f"the job was cancelled on Hugging Face{told}{said}"
    elif run.stage == "ERROR":
        run.status, run.reason = "failed", f"the job ended in stage ERROR{told}{said}"
    else:
        run.status = "failed"
        run.reason = f"the job is over and its log does not hold the whole result{told}{said}"


def _foreign(run: Rented, found: MeasuredRun) -> str:
    """Why a result is not this run's; empty where it is."""
    arms = tuple(arm.name for arm in run.translation.arms)
    if found.translation != run.translation or tuple(arm.arm for arm in found.arms) != arms:
        return "the job's result is of another order"
    seen, asked_for = found.manifest, find_hardware(run.spec.hardware)
    if (seen.device_kind == "cpu") != (asked_for.vendor == "cpu"):
        return f"the job ran on {plain_line(seen.device)}, not on {asked_for.name}"
    if seen.device_kind == "cpu":
        return ""
    try:
        card = find_hardware(seen.device)
    except UnknownName:
        return ""  # a name that the catalogue does not have; the manifest shows it
    same = card.id == asked_for.id
    return "" if same else f"the job ran on {card.name}, not on {asked_for.name}"
