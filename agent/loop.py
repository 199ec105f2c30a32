"""The one loop that drives every audit: the backend decides, the tools do, the log keeps.

`run_audit` gives every event as the log has written it. It ends with exactly one terminal event:
the report, an error that is the input's or the set-up's fault, or the cancel. A bug rises to the
caller, who records it (`agent.jobs`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from agent.api import AuditRequest
from agent.backends import Backend, Message, ToolCall, ToolResult, Turn
from agent.named import BACKENDS, make
from agent.report import Made, build_report
from agent.run import AuditRun
from agent.services import Services, make_services
from agent.synthesis import completed_by, finish, tier_of
from agent.tools import TOOLS, call_tool
from audit.records.base import Record
from audit.records.errors import Cancelled, GoblinError, UserError
from audit.records.events import (
    CancelledData,
    ErrorData,
    Event,
    FinalReportData,
    StartedData,
    ThoughtData,
    ToolCallData,
    ToolResultData,
    UsageData,
)

MAX_CALLS_PER_TURN = 8
"""Further calls of one turn are answered "not run"."""
TASK = (
    "Audit upload_1: parse_config, profile_run, query_rocm_kb, propose_patch, benchmark wl_1, "
    "benchmark wl_2, compare_runs."
)


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
    cancelled: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Event]:
    """Run one audit; the events come as they are written.

    Args:
        request: what to audit.
        log: where every event goes, redacted and numbered.
        audit_id: the audit's id in the log.
        backend: one that is made already; None: the one that the request names.
        cancelled: asked between all calls and inside longer stages.

    Raises:
        AuditEnded: the audit has an end already.
    """
    written: deque[Event] = deque()

    def record(data: Record) -> None:
        event = log.append(audit_id, data)
        if event is not None:
            written.append(event)

    start = time.perf_counter()
    try:
        run = AuditRun(make_services(request, record, cancelled))
        record(_started(run.services))
        decide = backend or make("backend", request.backend, BACKENDS)
        async for _ in _converse(run, decide):
            while written:
                yield written.popleft()
        tier, by = tier_of(run.state), completed_by(request.backend, tier_of(run.state), run.state)
        finish(run)
        made = Made(tier=tier, completed_by=by, seconds=round(time.perf_counter() - start, 6))
        record(FinalReportData(report=build_report(run.state, run.services, made)))
    except Cancelled:
        record(CancelledData(text="Cancelled by its owner; what was found until then stays."))
    except UserError as error:
        record(_error(error))
    while written:
        yield written.popleft()


async def _converse(run: AuditRun, backend: Backend) -> AsyncIterator[None]:
    """Turns until the backend is done, the audit is compared, or the turns are used up."""
    messages = [Message("user", TASK)]
    tools = tuple(TOOLS.values())
    for _ in range(run.services.request.max_turns):
        run.services.check_cancelled()
        turn = await backend.reply(messages, tools)
        _say(run, turn)
        yield
        results = []
        for number, call in enumerate(turn.tool_calls):
            results.append(_called(run, call, run_it=number < MAX_CALLS_PER_TURN))
            yield
        messages.append(Message("assistant", turn.text, tool_calls=turn.tool_calls))
        messages.append(Message("tool", results=tuple(results)))
        if turn.stop_reason == "end_turn" or run.state.comparison is not None:
            return


def _say(run: AuditRun, turn: Turn) -> None:
    if turn.text:
        run.services.record(ThoughtData(text=turn.text))
    if turn.usage is not None:
        used = turn.usage
        run.services.record(
            UsageData(
                kind="loop",
                model=used.model,
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
                usd=used.usd,
            )
        )


def _called(run: AuditRun, call: ToolCall, *, run_it: bool) -> ToolResult:
    """One call with its two events."""
    record = run.services.record
    record(ToolCallData(call_id=call.id, tool=call.tool, arguments=call.arguments))
    start = time.perf_counter()

    def answer(result: ToolResult) -> ToolResult:
        record(
            ToolResultData(
                call_id=call.id,
                tool=call.tool,
                ok=result.ok,
                text=result.text,
                result_id=result.ids[-1] if result.ids else None,
                seconds=round(time.perf_counter() - start, 6),
            )
        )
        return result

    if not run_it:
        text = f"not run: at most {MAX_CALLS_PER_TURN} calls a turn"
        return answer(ToolResult(call.id, call.tool, ok=False, text=text))
    try:
        return answer(call_tool(run, call))
    except GoblinError as error:  # every call gets its result, also the one that ends the audit
        answer(ToolResult(call.id, call.tool, ok=False, text=str(error)))
        raise


def _started(services: Services) -> StartedData:
    request = services.request
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
