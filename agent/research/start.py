"""Starts one research with the audit's backend: its own prompt, model, budget and connections.

With the rules, or where the model backend cannot work, the knowledge base is asked instead; the
outcome says which.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from agent.backends import Backend, Desk
from agent.budget import Budget
from agent.drive import drive
from agent.named import BACKENDS, MODELS, make
from agent.request import AuditRequest
from agent.research.fetch import Fetcher, public_hosts
from agent.research.library import Library
from agent.research.plan import plan_research
from agent.research.subagent import SYSTEM, Subagent
from agent.research.tools import Reading
from agent.settings import ModelSettings
from audit.records.base import Record
from audit.records.errors import Cancelled, SetupError
from audit.records.events import LogData
from audit.records.lead import Research


def start_research(
    task: str,
    request: AuditRequest,
    models: ModelSettings,
    record: Callable[[Record], object],
    cancelled: Callable[[], bool],
    audit: Budget | None = None,
) -> Research:
    """The outcome of one research; waits for it, in a thread with an event loop of its own.

    Args:
        task: the question, in words.
        request: whose backend is used.
        models: keys and addresses; GOBLIN_RESEARCH_MODEL names a cheaper model.
        record: writes an event under the call that asked.
        cancelled: whether the owner cancelled the audit.
        audit: the audit's own budget, which a research may not outspend.

    Raises:
        Cancelled: the owner cancelled.
    """
    if request.backend not in MODELS:
        return plan_research(task)
    found: list[Research | BaseException] = []

    def work() -> None:
        try:
            found.append(_researched(task, request, models, record, cancelled, audit))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, name="research", daemon=True)
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _researched(
    task: str,
    request: AuditRequest,
    models: ModelSettings,
    record: Callable[[Record], object],
    cancelled: Callable[[], bool],
    audit: Budget | None,
) -> Research:
    record(LogData(text=f"Research: {task[:80]}"))
    network = Fetcher(public_hosts(models.hf_token)) if models.hf_token else None
    reading = Reading(Library(), network)
    agent: list[Subagent] = []
    desk = Desk(
        system=SYSTEM,
        record=record,
        cancelled=cancelled,
        seconds_left=lambda: agent[0].budget.seconds_left(),
        kind="research",
    )
    try:
        backend: Backend = make("backend", request.backend, BACKENDS, cheaper(models), desk)
    except SetupError as error:
        record(LogData(text=f"The knowledge base is asked instead: {error}"))
        return plan_research(task)
    agent.append(Subagent(task, backend, request.backend, reading, record, cancelled, audit))
    (found,) = drive(_once(agent[0], backend))
    record(LogData(text=found.ended))
    if cancelled():
        raise Cancelled
    return found


async def _once(agent: Subagent, backend: Backend) -> AsyncGenerator[Research, None]:
    try:
        yield await agent.run()
    finally:
        close = getattr(backend, "close", None)
        if close is not None:
            await close()


def cheaper(models: ModelSettings) -> ModelSettings:
    """The same settings with the research model in place of every backend's own."""
    name = models.research_model
    if not name:
        return models
    return replace(models, claude_model=name, hf_model=name, openai_model=name)
