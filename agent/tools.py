"""The tools a backend may call: typed arguments that are ids and words, answers as short text.

No tool takes a figure or a path, so none can be invented or followed. A wrong argument or a stage
out of turn is answered with text that says what would be right; only the input's own faults and a
cancel end the audit from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, ValidationError

from agent import tool_answers
from agent.backends import ToolCall, ToolResult
from agent.backends.arguments import unwrapped
from agent.run import AuditRun
from agent.state import AFTER, AS_WRITTEN, BEFORE, PATCH, PATCHED
from audit.records.base import Json, Record
from audit.records.errors import GoblinError, ModelMistake

MAX_NAME = 64
_DRESSED = re.compile(r"^(?:functions?|tools?)[./:]|:\d+$")
"""What some models put around a name: `functions.NAME:0`."""
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
MAX_ANSWER = 2000
"""Characters of an answer; the whole result is in the log under its id."""
UPLOAD = "upload_1"
CALLING: ContextVar[str] = ContextVar("CALLING", default="")
"""The id of the call that runs: what a sub-agent says stands under it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Text for the backend, and the ids that now exist because of the call."""

    text: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with a typed argument record; its docstring is what a model reads."""

    name: str
    arguments: type[Record]
    function: Callable[[AuditRun, Any], Answer]

    @property
    def description(self) -> str:
        """One line for the model."""
        return (self.function.__doc__ or "").strip()

    def schema(self) -> dict[str, Json]:
        """JSON schema of the arguments."""
        return self.arguments.model_json_schema()


TOOLS: dict[str, Tool] = {}


def tool(arguments: type[Record]) -> Callable[[Callable[[AuditRun, Any], Answer]], Tool]:
    """Enter a function into the ordered table of tools, under its own name."""

    def enter(function: Callable[[AuditRun, Any], Answer]) -> Tool:
        entered = Tool(function.__name__, arguments, function)
        TOOLS[entered.name] = entered
        return entered

    return enter


class OnUpload(Record):
    """Arguments of parse_config."""

    upload_id: str


class OnWorkload(Record):
    """Arguments of the tools that look at one workload."""

    workload_id: str


class Question(Record):
    """Arguments of query_rocm_kb."""

    workload_id: str
    question: str | None = None


class Chosen(Record):
    """Arguments of propose_patch."""

    workload_id: str
    finding_ids: list[str]


class Task(Record):
    """Arguments of research."""

    task: str = Field(max_length=400)


class TwoBenches(Record):
    """Arguments of compare_runs."""

    before_id: str
    after_id: str


@tool(OnUpload)
def parse_config(run: AuditRun, given: OnUpload) -> Answer:
    """Read the uploaded training files into workload wl_1."""
    if given.upload_id != UPLOAD:
        message = f"{given.upload_id!r} is no upload; the files of this audit are {UPLOAD!r}"
        raise ModelMistake(message)
    if run.state.workload is None:
        run.perform("parse")
    return Answer(tool_answers.tell_workload(run.state), (AS_WRITTEN,))


@tool(OnWorkload)
def profile_run(run: AuditRun, given: OnWorkload) -> Answer:
    """Say whether wl_1 fits the card and where the time of one step goes."""
    run.state.need(given.workload_id, AS_WRITTEN)
    if run.state.profile is None:
        run.perform("profile")
    return Answer(tool_answers.tell_profile(run.state), ())


@tool(Question)
def query_rocm_kb(run: AuditRun, given: Question) -> Answer:
    """Find what is wrong with wl_1 (findings f_1, f_2, ...); a question is answered beside that."""
    run.state.need(given.workload_id, AS_WRITTEN)
    if run.state.findings is None:
        run.perform("query")
    text = tool_answers.tell_findings(run.state)
    if given.question:
        text = f"{tool_answers.tell_facts(given.question)}\n\n{text}"
    return Answer(text, tuple(finding.id for finding in run.state.findings or ()))


@tool(Chosen)
def propose_patch(run: AuditRun, given: Chosen) -> Answer:
    """Write the edits of the chosen findings into the user's file: patch_1 and workload wl_2."""
    state = run.state
    state.need(given.workload_id, AS_WRITTEN)
    known = {finding.id for finding in state.findings or ()}
    unknown = sorted(set(given.finding_ids) - known)
    if unknown:
        message = f"no finding called {', '.join(unknown)}; there are: {', '.join(sorted(known))}"
        raise ModelMistake(message)
    asked = frozenset(given.finding_ids)
    chosen = None if asked == known else asked
    if state.patch is None:
        run.state = state.moved(chosen=chosen, asked=asked)
        run.perform("patch")
    elif state.asked is not None and asked != state.asked:
        message = f"{PATCH} is made and stays as it is: an audit goes forward only"
        raise ModelMistake(message)
    made = (PATCH, PATCHED) if run.state.patched else (PATCH,)
    return Answer(tool_answers.tell_patch(run.state), made)


@tool(OnWorkload)
def benchmark(run: AuditRun, given: OnWorkload) -> Answer:
    """Run wl_1 alone (bench_1), then wl_2: baseline and patched together (bench_2)."""
    state = run.state
    state.need(given.workload_id, AS_WRITTEN, PATCHED)
    bench_id = BEFORE if given.workload_id == AS_WRITTEN else AFTER
    if bench_id == AFTER and state.bench(BEFORE) is None:
        message = f"benchmark {AS_WRITTEN} first, so that there is something to compare with"
        raise ModelMistake(message)
    if state.bench(bench_id) is None:
        run.perform("benchmark")
    return Answer(tool_answers.tell_bench(run.state, bench_id), (bench_id,))


@tool(TwoBenches)
def compare_runs(run: AuditRun, given: TwoBenches) -> Answer:
    """Compare bench_1 (before) with bench_2 (after); with nothing edited, bench_1 with itself."""
    state = run.state
    state.need(given.before_id, BEFORE)
    state.need(given.after_id, AFTER if state.edited else BEFORE)
    if state.comparison is None:
        run.perform("compare")
    return Answer(tool_answers.tell_comparison(run.state), ())


@tool(Task)
def research(run: AuditRun, given: Task) -> Answer:
    """Look up what no finding covers; brings back unverified leads with sources, never edits."""
    found = run.services.research(given.task, CALLING.get())
    run.keep_leads(found.leads)
    return Answer(tool_answers.tell_research(found), ())


def checked(call: ToolCall) -> ToolCall:
    """The call under its tool's own name with arguments that fit, or with its fault in words."""
    name = _resolved(call.tool)
    found = TOOLS.get(name)
    if found is None:
        known = ", ".join(TOOLS)
        fault = f"there is no tool called {call.tool[:MAX_NAME]!r}; there are: {known}"
        return replace(call, tool=_UNFIT.sub("_", call.tool)[:MAX_NAME] or "unnamed", fault=fault)
    fields = list(found.arguments.model_fields)
    if call.fault:
        fault = f"wrong arguments for {name}: {call.fault}; wanted: {fields}"
        return replace(call, tool=name, fault=fault)
    given = unwrapped(call.arguments, fields)
    try:
        found.arguments.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        fault = f"wrong arguments for {name}: {faults}; wanted: {fields}"
        return replace(call, tool=name, fault=fault)
    return replace(call, tool=name, arguments=given)


def rank(call: ToolCall) -> tuple[int, bool]:
    """Where the call stands in the order of the stages; wl_1 is benchmarked before wl_2."""
    place = list(TOOLS).index(call.tool) if call.tool in TOOLS else -1
    return place, call.tool == "benchmark" and call.arguments.get("workload_id") == PATCHED


def reads_only(run: AuditRun, call: ToolCall) -> bool:
    """Whether the call leaves the stages as they are: it may run beside others of its kind."""
    if call.tool == query_rocm_kb.name:
        return run.state.findings is not None
    return call.tool == research.name


def call_tool(run: AuditRun, call: ToolCall) -> ToolResult:
    """Run one checked call; what the backend did wrong comes back as text.

    Raises:
        Cancelled, UserError: these end the audit.
    """
    if call.fault:
        return ToolResult(call.id, call.tool, ok=False, text=_short(call.fault))
    found = TOOLS[call.tool]
    CALLING.set(call.id)
    try:
        answer = found.function(run, found.arguments.model_validate(call.arguments))
    except ModelMistake as mistake:
        return ToolResult(call.id, call.tool, ok=False, text=_short(str(mistake)))
    except GoblinError:
        raise
    except Exception as bug:  # the backend may go on; if the stage is needed, the bug comes again
        text = f"{call.tool} failed inside ({type(bug).__name__})"
        return ToolResult(call.id, call.tool, ok=False, text=text)
    return ToolResult(call.id, call.tool, ok=True, text=_short(answer.text), ids=answer.ids)


def _resolved(name: str) -> str:
    """The tool's own name: `functions.Parse-Config:0` is parse_config; nothing is guessed."""
    plain = _DRESSED.sub("", name.strip()).lower().replace("-", "_").replace(" ", "_")
    return plain if plain in TOOLS else name


def _short(text: str) -> str:
    return (
        text
        if len(text) <= MAX_ANSWER
        else text[: MAX_ANSWER - 30] + "\n(cut; the rest is in the log)"
    )
