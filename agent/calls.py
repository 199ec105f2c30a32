"""Runs the checked calls of one turn: each is written down when asked and when answered.

What moves the audit runs alone, in the order of the stages. Calls that only read stand side by
side, each in its own thread: a research waits for servers, and need not wait for its neighbour.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from agent.backends import ToolCall, ToolResult
from agent.budget import Budget
from agent.offline import is_sealed, sealed
from agent.run import AuditRun
from agent.tools import call_tool, rank, reads_only
from audit.records.errors import GoblinError
from audit.records.events import ToolCallData, ToolResultData

MAX_CALLS_PER_TURN = 8
"""Further calls of one turn are answered "not run"."""
MAX_TOGETHER = 4
"""Calls that read at the same time."""
INVALID = "not run: another call of this turn is invalid"
TOO_MANY = f"not run: at most {MAX_CALLS_PER_TURN} calls a turn"


class Calls:
    """The calls of one turn, checked; `results` holds the one answer of each by its id."""

    def __init__(self, run: AuditRun, budget: Budget, calls: Sequence[ToolCall]) -> None:
        self._run, self._budget = run, budget
        self._within = sorted(calls[:MAX_CALLS_PER_TURN], key=rank)
        self._beyond = calls[MAX_CALLS_PER_TURN:]
        self._some_invalid = any(call.fault for call in self._within)
        self._first: dict[str, ToolCall] = {}
        self.results: dict[str, ToolResult] = {}

    @property
    def distinct(self) -> tuple[ToolCall, ...]:
        """The calls without those that ask for the same thing again."""
        return tuple(self._first.values())

    def answered(self) -> Iterator[None]:
        """Answer every call; a step comes out after each piece of work.

        Raises:
            Cancelled, UserError: these end the audit; the call has its answer in the log.
        """
        for side_by_side, calls in groupby(self._within, lambda call: reads_only(self._run, call)):
            for group in [[*calls]] if side_by_side else ([call] for call in calls):
                self._answer(group)
                yield
        for call in self._beyond:
            self._unrun(call, TOO_MANY)

    def run_one(self, call: ToolCall) -> ToolResult:
        """Run one call with its two events."""
        self._asked(call)
        return self._ran(call)

    def _answer(self, calls: Sequence[ToolCall]) -> None:
        new = [call for call in calls if self._first.setdefault(_key(call), call) is call]
        held = [call for call in new if self._some_invalid and not call.fault]
        for call in held:
            self._unrun(call, INVALID)
        self._run_all([call for call in new if call not in held])
        for call in calls:
            if call.id not in self.results:
                self._asked(call)
                shared = self.results[self._first[_key(call)].id]
                self.results[call.id] = self._told(call, replace(shared, call_id=call.id), 0.0)

    def _run_all(self, calls: Sequence[ToolCall]) -> None:
        if len(calls) < 2:
            self.results |= {call.id: self.run_one(call) for call in calls}
            return
        from concurrent.futures import ThreadPoolExecutor

        offline = is_sealed()  # of this thread only
        for call in calls:
            self._asked(call)

        def ran(call: ToolCall) -> ToolResult:
            with sealed(offline):
                return self._ran(call)

        with ThreadPoolExecutor(MAX_TOGETHER, thread_name_prefix="reading") as pool:
            running = {call.id: pool.submit(ran, call) for call in calls}
        self.results |= {call_id: one.result() for call_id, one in running.items()}

    def _unrun(self, call: ToolCall, why: str) -> None:
        self._asked(call)
        refused = ToolResult(call.id, call.tool, ok=False, text=why)
        self.results[call.id] = self._told(call, refused, 0.0)

    def _ran(self, call: ToolCall) -> ToolResult:
        start = time.perf_counter()
        try:
            result = call_tool(self._run, call)
        except GoblinError as error:  # also the call that ends the audit gets its result
            failed = ToolResult(call.id, call.tool, ok=False, text=str(error))
            self._told(call, failed, time.perf_counter() - start)
            raise
        return self._told(call, result, time.perf_counter() - start)

    def _asked(self, call: ToolCall) -> None:
        self._run.services.record(
            ToolCallData(
                call_id=call.id,
                tool=call.tool,
                arguments=call.arguments,
                turn=self._budget.turns,
            )
        )

    def _told(self, call: ToolCall, result: ToolResult, seconds: float) -> ToolResult:
        self._run.services.record(
            ToolResultData(
                call_id=call.id,
                tool=call.tool,
                ok=result.ok,
                text=result.text,
                result_id=result.ids[-1] if result.ids else None,
                seconds=round(seconds, 6),
            )
        )
        return result


def _key(call: ToolCall) -> str:
    """Equal where two calls ask for the same thing."""
    return f"{call.tool} {sorted(call.arguments.items())!r} {call.fault}"
