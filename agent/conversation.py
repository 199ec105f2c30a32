"""The turns of one audit's backend: asks, checks, runs the calls, and knows why they ended.

It ends when the audit is compared, when a guard or the budget says so, or when no turn is to be
had. Whatever is missing then is the rules' part (`agent.synthesis`); nothing here decides that.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from agent.backends import Backend, Message, ToolCall, ToolResult, Turn
from agent.backends.faults import BackendFault
from agent.backends.patience import usage_data
from agent.budget import Budget
from agent.calls import Calls
from agent.figures_said import unbacked
from agent.guards import Advice, Guards, shortened
from agent.money.purse import weighed
from agent.named import MODELS
from agent.run import AuditRun
from agent.synthesis import missing_stages
from agent.tools import TOOLS, checked
from audit.records.base import Json, Record
from audit.records.events import (
    LogData,
    StageName,
    ThoughtData,
    UsageData,
)

MAX_THOUGHT = 8000
"""Characters of a turn's text that are kept."""
TASK = (
    "Audit upload_1: parse_config, profile_run, query_rocm_kb, propose_patch, benchmark wl_1, "
    "benchmark wl_2, compare_runs."
)
FIRST_CALLS: tuple[tuple[StageName, str, dict[str, Json]], ...] = (
    ("parse", "parse_config", {"upload_id": "upload_1"}),
    ("profile", "profile_run", {"workload_id": "wl_1"}),
    ("query", "query_rocm_kb", {"workload_id": "wl_1", "question": None}),
)
TAKEN_OVER = (
    "This is a second round under new wishes of the user. The first steps are done; what they "
    "answered follows. Go on with the next one."
)


class Conversation:
    """One backend's part of an audit; `stopped` says in words why it ended early."""

    def __init__(self, run: AuditRun, backend: Backend, budget: Budget, guards: Guards) -> None:
        self.run, self.backend, self.budget, self.guards = run, backend, budget, guards
        self.stopped = ""
        self.unbacked: list[str] = []
        """Figures that the backend stated and no tool gave, as it wrote them."""
        self.messages = [Message("user", TASK)]

    async def turns(self) -> AsyncGenerator[None, None]:
        """Take turns; a step comes out after each piece of work, so that events are shown live.

        Raises:
            Cancelled, UserError: these end the audit.
        """
        tools = tuple(TOOLS.values())
        while True:
            self.run.services.check_cancelled()
            self.stopped = self.budget.used_up()
            if self.stopped:
                return
            self.budget.turns += 1
            try:
                turn = await self.backend.reply(tuple(self.messages), tools)
            except BackendFault as fault:
                if not self._goes_on(fault):
                    return
                continue
            self._say(turn)
            yield
            advice = self.guards.on_stop(turn, missing_stages(self.run.state))
            if advice is None:
                async for _ in self._answer(turn):
                    yield
            else:
                self._note(turn, advice)
            if self.run.state.comparison is not None:
                self.stopped = ""
                return
            if self.stopped:
                return

    def go_on(self) -> None:
        """Begin behind the stages that the state holds already: their answers open the talk."""
        missing = missing_stages(self.run.state)
        calls = [
            ToolCall(f"taken_{number}", tool, dict(arguments))
            for number, (stage, tool, arguments) in enumerate(FIRST_CALLS, start=1)
            if stage not in missing
        ]
        taken = Calls(self.run, self.budget, calls)
        results = tuple(taken.run_one(call) for call in calls)
        self.messages = [Message("user", f"{TASK} {TAKEN_OVER}", results=results)]

    async def close(self) -> None:
        """Let the backend close its connections."""
        close = getattr(self.backend, "close", None)
        if close is not None:
            await close()

    def _goes_on(self, fault: BackendFault) -> bool:
        """Whether it helps to shorten the conversation and to ask again."""
        advice = self.guards.on_long() if fault.kind == "context" else Advice(stop=str(fault))
        self.stopped = advice.stop
        self.messages = shortened(self.messages)
        return not advice.stop

    def _say(self, turn: Turn) -> None:
        if turn.text:
            said = turn.text[:MAX_THOUGHT]
            self.run.services.record(ThoughtData(text=said, turn=self.budget.turns))
            answers = [result.text for message in self.messages for result in message.results]
            news = [one for one in unbacked(said, answers) if one not in self.unbacked]
            self.unbacked += news
            if news:
                text = f"No tool has given what the model says here: {', '.join(news)}."
                self.run.services.record(LogData(text=text))
        if turn.usage is not None:
            counted(self.run, self.budget, usage_data(turn.usage))
        elif self.run.services.request.backend in MODELS:  # what is not told is weighed
            letters = sum(len(result.text) for one in self.messages for result in one.results)
            self.budget.spend(weighed(letters), None)

    def _note(self, turn: Turn, advice: Advice) -> None:
        """A turn of which nothing runs: keep what may be sent back, add the hint."""
        self.stopped = advice.stop
        if turn.stop_reason == "context":
            self.messages = shortened(self.messages)
            return
        whole = turn.stop_reason in ("pause", "end_turn", "tool_use")
        # A call that is sent back wants its result, and none of these has one.
        replay = turn.replay if whole and not turn.tool_calls else None
        self.messages.append(Message("assistant", turn.text or "(no answer)", replay=replay))
        if advice.hint:
            self._hint(advice)
            self.messages.append(Message("user", advice.hint))

    async def _answer(self, turn: Turn) -> AsyncGenerator[None, None]:
        """Run the calls of a turn; every call gets its one result."""
        calls = tuple(checked(call) for call in turn.tool_calls)
        asked = Calls(self.run, self.budget, calls)
        for _ in asked.answered():
            yield
        self.budget.calls += len(calls)
        missing = missing_stages(self.run.state)
        advice = self.guards.on_results(
            asked.distinct, asked.results, missing[0] if missing else ""
        )
        self.stopped = advice.stop
        self._remember(turn, calls, asked.results, advice)

    def _remember(
        self,
        turn: Turn,
        calls: Sequence[ToolCall],
        results: dict[str, ToolResult],
        advice: Advice,
    ) -> None:
        self.messages.append(
            Message("assistant", turn.text, tool_calls=tuple(calls), replay=turn.replay)
        )
        if advice.hint:
            self._hint(advice)
        answers = tuple(results[call.id] for call in calls)
        self.messages.append(Message("tool", advice.hint, results=answers))

    def _hint(self, advice: Advice) -> None:
        self.run.services.record(LogData(text=advice.hint, hint=True))


def counted(run: AuditRun, budget: Budget, data: Record) -> object:
    """Write an event of a backend; what it used is counted here and nowhere else."""
    if isinstance(data, UsageData):
        budget.spend(data.input_tokens + data.output_tokens, data.usd)
    return run.services.record(data)
