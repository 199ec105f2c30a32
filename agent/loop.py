"""The one loop that drives every audit: the backend decides, the tools do, the log keeps.

`run_audit` gives every event as the log has written it. It ends with exactly one terminal event:
the report, an error that is the input's or the set-up's fault, or the cancel. A bug rises to the
caller, who records it (`agent.jobs`).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from agent.backends import Backend, Desk
from agent.budget import Budget, Limits
from agent.conversation import Conversation, counted
from agent.guards import MAX_NUDGES, Guards
from agent.money.approvals import Approvals, Decision, nobody_to_ask
from agent.money.ledger import Ledger
from agent.money.purse import Paid, who_pays
from agent.named import BACKENDS, MODELS, make
from agent.report import Made, build_report
from agent.request import AuditRequest
from agent.run import AuditRun
from agent.second_round import Recorded, take_over
from agent.services import Services, make_services
from agent.settings import Measuring, ModelSettings, read_models, read_settings
from agent.synthesis import completed_by, finish, tier_of, who_did_what
from audit.records.base import Record
from audit.records.errors import Cancelled, SetupError, UserError
from audit.records.events import (
    ApprovalRequiredData,
    CancelledData,
    ErrorData,
    Event,
    FinalReportData,
    LogData,
    StartedData,
    UsageData,
)
from audit.records.lead import Research
from audit.records.report import Report
from audit.records.workload import Notice


class Log(Protocol):
    """What the loop needs of `audit.log.store.Store`."""

    def append(
        self, audit_id: str, data: Record, *, parent_call_id: str | None = None
    ) -> Event | None:
        """Write one event."""
        ...


async def run_audit(
    request: AuditRequest,
    log: Log,
    audit_id: str,
    *,
    backend: Backend | None = None,
    models: ModelSettings | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    taken: Recorded | None = None,
    measuring: Measuring | None = None,
    ask: Callable[[ApprovalRequiredData], Decision] = nobody_to_ask,
) -> AsyncIterator[Event]:
    """Run one audit; the events come as they are written.

    Args:
        request: what to audit.
        log: where every event goes, redacted and numbered.
        audit_id: the audit's id in the log.
        backend: one that is made already; None: the one that the request names.
        models: keys and addresses of the model backends; None: what the environment states.
        cancelled: asked between all calls and inside longer stages.
        taken: what a second round takes over from its first.
        measuring: what a measuring runner may use; None: what the environment states.
        ask: waits for the owner's decision where a run costs money.

    Raises:
        AuditEnded: the audit has an end already.
    """
    spine = _Spine(log, audit_id, Ledger(request.max_usd))
    start = time.perf_counter()
    talk: Conversation | None = None
    run: AuditRun | None = None
    try:
        search = spine.researcher(request, cancelled)
        may = replace(measuring or read_settings(os.environ).measuring, audit_id=audit_id)
        approvals = Approvals(spine.ledger, spine.record, ask, request.always)
        services = make_services(request, spine.record, cancelled, search, approvals, may)
        run = AuditRun(services)
        spine.record(_started(run.services))
        spine.paid = paid = _paid(request, backend, models)
        talk = _conversation(run, backend, paid, spine.ledger)
        spine.budget = talk.budget
        if taken is not None:
            take_over(run, taken)
            talk.go_on()
        try:
            async with aclosing(talk.turns()) as turns:
                async for _ in turns:
                    for event in spine.taken():
                        yield event
            report = _report(run, talk, start)
        finally:
            approvals.close()
        spine.record(FinalReportData(report=report))
    except Cancelled:
        spine.record(CancelledData(text="Cancelled by its owner; what was found until then stays."))
    except UserError as error:
        spine.record(_error(error))
    finally:
        try:
            if talk is not None:
                await talk.close()
        finally:
            if run is not None:
                run.services.runner.close()
    for event in spine.taken():
        yield event


class _Spine:
    """Writes the events of one audit, those of its sub-agents too, and hands them on."""

    def __init__(self, log: Log, audit_id: str, ledger: Ledger) -> None:
        self._log, self._audit_id, self.ledger = log, audit_id, ledger
        self._written: deque[Event] = deque()
        self._writing = threading.Lock()
        self.budget: Budget | None = None
        """Of the audit; what a sub-agent uses counts there."""
        self.paid: Paid | None = None
        """Whose key the audit's model uses; a sub-agent's is the same."""

    def record(self, data: Record, call_id: str | None = None) -> None:
        """Write one event; `call_id` of the call whose sub-agent says it."""
        with self._writing:  # handed on in the order of the log, whoever writes
            event = self._log.append(self._audit_id, data, parent_call_id=call_id)
            if event is not None:
                self._written.append(event)
        if isinstance(data, UsageData) and data.usd:
            self.ledger.spend("model", data.usd)

    def taken(self) -> Iterator[Event]:
        """The events that were written since the last call."""
        while self._written:
            yield self._written.popleft()

    def researcher(
        self, request: AuditRequest, cancelled: Callable[[], bool]
    ) -> Callable[[str, str], Research]:
        """Researches a task for a call, with the audit's backend."""

        def research(task: str, call_id: str) -> Research:
            from agent.research.start import start_research

            def told(data: Record) -> None:
                self.record(data, call_id)
                if isinstance(data, UsageData) and self.budget is not None:
                    self.budget.spend(data.input_tokens + data.output_tokens, data.usd)

            known = self.paid.models if self.paid else ModelSettings()
            return start_research(task, request, known, told, cancelled, self.budget)

        return research


def _paid(
    request: AuditRequest, backend: Backend | None, models: ModelSettings | None
) -> Paid | None:
    """Whose key the model uses; None where there is no model. Raises UserError: nobody pays."""
    if backend is not None or request.backend not in MODELS:
        return None
    return who_pays(request.backend, models or read_models(os.environ), request.visitor)


def _conversation(
    run: AuditRun, backend: Backend | None, paid: Paid | None, ledger: Ledger
) -> Conversation:
    """The backend's part of the audit; raises SetupError where it cannot work."""
    request = run.services.request
    name = request.backend
    if paid is None:
        budget = Budget(Limits(turns=request.max_turns))
        decide = backend or make("backend", name, BACKENDS)
        nudges = 0 if name == "rules" else MAX_NUDGES
        return Conversation(run, decide, budget, Guards(nudges=nudges))
    from agent.prompt import system_prompt

    limits = Limits(turns=request.max_turns, usd=_max_usd(paid.models, request.max_usd))
    budget = Budget(limits, paid.purse, ledger)
    desk = Desk(
        system=system_prompt(request, run.services.hardware),
        record=lambda data: counted(run, budget, data),
        cancelled=run.services.cancelled,
        seconds_left=budget.seconds_left,
    )
    return Conversation(run, make("backend", name, BACKENDS, paid.models, desk), budget, Guards())


def _report(run: AuditRun, talk: Conversation, start: float) -> Report:
    """What is missing is done by the rules; who did what stands in the report."""
    name = run.services.request.backend
    tier = tier_of(run.state)
    by = completed_by(name, tier, run.state)
    told = who_did_what(name, talk.stopped, run.state)
    if talk.stopped and name != "rules":
        run.services.record(LogData(text=f"The part of {name} ends: {talk.stopped}."))
    finish(run)
    made = Made(tier=tier, completed_by=by, seconds=round(time.perf_counter() - start, 6))
    report = build_report(run.state, run.services, made)
    if name == "rules":
        return report
    notices = [Notice(kind="note", message=told, about="audit")]
    if talk.unbacked:
        message = (
            f"The model named figures that no tool gave ({', '.join(talk.unbacked[:5])}); none of "
            "them is in this report."
        )
        notices.insert(0, Notice(kind="note", message=message, about="audit"))
    return report.model_copy(update={"notices": (*report.notices, *notices)})


def _max_usd(models: ModelSettings, asked: float | None) -> float | None:
    """The operator's cap on the model; the user's, on model and runs together, is the ledger's.

    Raises:
        SetupError: a cap is stated, and without a price nothing can be counted against it.
    """
    if models.usd_per_million is None and (models.max_usd is not None or asked is not None):
        message = "a cap in dollars is set, but the price of the model is not known"
        remedy = "Set GOBLIN_MODEL_USD_PER_MILLION, such as 3,15 (dollars per million in and out)."
        raise SetupError(message, remedy=remedy)
    return models.max_usd


def _started(services: Services) -> StartedData:
    request, prompt = services.request, ""
    if request.backend in MODELS:
        from agent.prompt import system_prompt

        prompt = system_prompt(request, services.hardware)
    return StartedData(
        workload_name=request.uploads[0].name,
        files=tuple(upload.name for upload in request.uploads),
        hardware=services.hardware.id,
        hardware_origin=services.hardware_origin,
        gpus=request.gpus,
        nodes=request.nodes,
        backend=request.backend,
        runner=request.runner,
        request=request.as_json(),
        prompt=prompt,
    )


def _error(error: UserError) -> ErrorData:
    """Place and reason in one line; the remedy apart."""
    message = str(error)
    if error.remedy:
        message = message.removesuffix(f". {error.remedy}")
    return ErrorData(
        kind=error.kind,
        message=message,
        file=error.file,
        line=error.line,
        remedy=error.remedy,
    )
