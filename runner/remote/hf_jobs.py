"""HfJobsRunner: the same worker on a machine rented from Hugging Face Jobs; figures are `measured`.

It costs money, so its owner is asked first (`agent.money.approvals`). A job that dies is a result,
never a projection. Tested against a local server that plays the service, not run against the live
one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from audit.records.errors import RunFailed, SetupError
from audit.records.measured import Manifest
from audit.records.metrics import Bench
from audit.records.spec import Spec
from kb.catalog.hardware import find_hardware
from runner.measured_figures import measured_metrics
from runner.news import until_end
from runner.orders import order_of
from runner.protocol import Capabilities, Progress, Quote, RunStatus
from runner.remote.flavors import Flavor, choose_flavor, flavor_of
from runner.remote.hf_access import IMAGE, HubRefused, JobsAccess, asked, client, own_name
from runner.remote.hf_orphans import RUN, cancel_labelled, labels_of
from runner.remote.hf_terms import place_on, quote_of, times_of
from runner.remote.hf_watch import Rented, Task, watch
from runner.remote.payload import MARK, PINS, VARIABLE, command, packed, pins_text
from runner.result_cache import FROM_CACHE, ResultCache
from runner.translation.translate import translate
from runner.unshown import nothing_measured

if TYPE_CHECKING:
    from huggingface_hub import HfApi

NAME = "hf_jobs"
BILL_TRIES = 4
CANCEL_TRIES = 3
UNCERTAIN = 500
"""From this status on the service may have started the job all the same."""


class HfJobsRunner:
    """Rents one machine per run; a run id is the job's id."""

    def __init__(self, access: JobsAccess = JobsAccess()) -> None:  # noqa: B008 (frozen)
        """`access`: whose token, which audit. Nothing is asked before the first quote."""
        self._access = access
        self._cache = ResultCache(access.cache)
        self._api: HfApi | None = None
        self._offered: tuple[Flavor, ...] = ()
        self._name = ""
        self._runs: dict[str, Rented] = {}
        self._rented: list[Rented] = []
        self._pause = threading.Event()

    def capabilities(self) -> Capabilities:
        """Measured on whatever the service offers when it is asked; always billed."""
        return Capabilities(name=NAME, provenance="measured", hardware=None, billable=True)

    def quote(self, spec: Spec) -> Quote:
        """The price of the job's whole time limit; None where the service states no price.

        Raises:
            MissingFacts: the file does not say enough to be run.
            UserError: no such card, count or flavor there.
            SetupError: no token, or the service does not answer.
        """
        task = self._task(spec)
        if task.order is None:
            return Quote(0.0, 0.0, "none of the edits can be measured there", free=True)
        if self._cache.find(task.key) is not None:
            return Quote(0.0, 0.0, FROM_CACHE, free=True)
        return quote_of(spec, task.flavor)

    def submit(self, spec: Spec) -> str:
        """Translate, pack and start; returns the job's id.

        Raises:
            MissingFacts: the file does not say enough to be run.
            RunFailed: the service refuses the job.
            UserError: see `quote`.
        """
        task = self._task(spec)
        run = Rented(spec, task, token_hex(8))
        if task.order is None:
            return self._without_a_job(run)
        kept = self._cache.find(task.key)
        if kept is not None:
            run.result, run.status = kept, "succeeded"
            run.news.put(Progress(f"measured before with the same settings: {FROM_CACHE}"))
            return self._ended(run)
        payload = packed(task.order)
        try:
            run.namespace = (spec.terms.namespace if spec.terms else None) or self._own_name()
            self._rented.append(run)
            run.doubtful = True  # a cancel may be raised in this thread at any point from here
            run.job_id = self._start(run, payload)
            run.doubtful = False
        except HubRefused as refused:
            run.doubtful = refused.status is None or refused.status >= UNCERTAIN
            self._sweep(run)
            message = f"the job did not start ({refused})"
            raise RunFailed(message) from refused
        self._runs[run.job_id] = run
        threading.Thread(
            target=watch, args=(run, self._client(), self._access.poll_s), daemon=True
        ).start()
        return run.job_id

    def events(self, run_id: str) -> Iterator[Progress]:
        """Progress until the run ends; an empty text in between lets the caller look around."""
        yield from until_end(self._run(run_id).news)

    def status(self, run_id: str) -> RunStatus:
        """Where the run stands; lost: the service does not know the job any more."""
        return self._run(run_id).status

    def cancel(self, run_id: str) -> None:
        """Stop the job; one that has ended stays as it is. Its own time limit ends it anyhow."""
        self._cancel(self._run(run_id))

    def billed(self, run_id: str) -> float | None:
        """Seconds that the job ran, by the service's own count, at the price it stated.

        None where either is not known, such as of a job that has not ended yet.
        """
        run = self._run(run_id)
        if not run.job_id:
            return 0.0
        for _ in range(BILL_TRIES):
            if run.ended:
                break
            with contextlib.suppress(HubRefused):
                run.see(asked(self._inspector(run)))
            if not run.ended:
                self._pause.wait(min(1.0, self._access.poll_s))
        if not run.ended or run.running_s is None or run.flavor.usd_per_s is None:
            return None
        return run.running_s * run.flavor.usd_per_s

    def collect(self, run_id: str, bench_id: str) -> Bench:
        """The figures of every arm.

        Raises:
            RunFailed: no arm gave any, with the reason.
        """
        run = self._run(run_id)
        if run.result is None:
            reason = run.reason or f"the job is {run.status}"
            raise RunFailed(reason)
        if run.status == "succeeded" and not run.result.from_cache:
            self._cache.keep(run.task.key, run.result)
        card = find_hardware(run.spec.hardware)
        metrics = measured_metrics(run.result, run.spec, card, NAME)
        return Bench(id=bench_id, spec=run.spec.conditions, arms=metrics, measured=run.result)

    def close(self) -> None:
        """Cancel what still runs: the audit is over."""
        for run in self._rented:
            self._sweep(run)
            if run.job_id:
                self._cancel(run)

    def _client(self) -> HfApi:
        if self._api is None:
            self._api = client(self._access)
        return self._api

    def _own_name(self) -> str:
        self._name = self._name or own_name(self._client())
        return self._name

    def _flavor(self, spec: Spec) -> Flavor:
        api = self._client()
        if not self._offered:
            try:
                listed = asked(api.list_jobs_hardware)
                self._offered = asked(lambda: tuple(map(flavor_of, listed)))
            except HubRefused as refused:
                message = f"Hugging Face Jobs does not say what it offers ({refused})"
                remedy = "Check HF_TOKEN and the connection, or use --runner fake."
                raise SetupError(message, remedy=remedy) from refused
        return choose_flavor(spec, self._offered)

    def _task(self, spec: Spec) -> Task:
        """The spec translated for the machine that it would get."""
        flavor, card = self._flavor(spec), find_hardware(spec.hardware)
        image = self._access.image
        place = place_on(card, flavor, compiler=image == IMAGE)
        translation = translate(spec, place, card)
        if len(spec.arms) > 1 and not translation.edits:
            return Task(flavor, translation, None, "")
        times = times_of(spec)
        order = order_of(spec, translation, place, rounds=times.rounds, limit_s=times.worker)
        where = {"card": card.id, "flavor": flavor.name, "image": image, "pins": PINS}
        return Task(flavor, translation, order, self._cache.key(order, NAME, where))

    def _start(self, run: Rented, payload: str) -> str:
        api = self._client()
        given: dict[str, Any] = {VARIABLE: payload, MARK: run.mark, "GOBLIN_PINS": pins_text()}
        job = asked(
            lambda: api.run_job(
                image=self._access.image,
                command=command(),
                env=given,
                flavor=run.flavor.name,
                timeout=int(times_of(run.spec).job),
                name=f"gpu-goblin-{run.mark}",
                labels=labels_of(self._access.audit_id, run.mark),
                namespace=run.namespace,
            )
        )
        return job.id

    def _cancel(self, run: Rented) -> None:
        if run.status not in ("queued", "running"):
            return
        run.status = "cancelled"
        run.stop.set()
        api = self._client()
        for _ in range(CANCEL_TRIES):
            try:
                asked(lambda: api.cancel_job(job_id=run.job_id, namespace=run.namespace))
                return
            except HubRefused as refused:
                if refused.status is not None and refused.status < UNCERTAIN:
                    return  # it has ended, or is not known: there is nothing to stop
                self._pause.wait(min(1.0, self._access.poll_s))

    def _sweep(self, run: Rented) -> None:
        """The answer was lost, the job may not be: what has this run's label is cancelled."""
        if not run.doubtful:
            return
        with contextlib.suppress(HubRefused):  # its own time limit ends it
            cancel_labelled(self._client(), run.namespace, RUN, {run.mark})
            run.doubtful = False

    def _inspector(self, run: Rented) -> Any:
        api = self._client()
        return lambda: api.inspect_job(job_id=run.job_id, namespace=run.namespace)

    def _without_a_job(self, run: Rented) -> str:
        """None of the edits can be shown there: nothing is rented."""
        earlier = [one.result for one in self._runs.values() if one.result]
        kind = "cpu" if run.flavor.card == "cpu" else "cuda"
        blank = Manifest(device=find_hardware(run.spec.hardware).name, device_kind=kind)
        manifest = earlier[-1].manifest if earlier else blank
        run.result = nothing_measured(run.translation, manifest, earlier)
        run.status = "failed"
        return self._ended(run)

    def _ended(self, run: Rented) -> str:
        """Enter a run that has its result without a job; its id."""
        run.news.put(None)
        run_id = f"{NAME}_{len(self._runs) + 1}"
        self._runs[run_id] = run
        return run_id

    def _run(self, run_id: str) -> Rented:
        if run_id not in self._runs:
            message = f'there is no run "{run_id}"'
            raise SetupError(message, remedy="Submit a spec first.")
        return self._runs[run_id]
