"""Who may have a question worded by the model of this host: the owner of the audit alone."""

from __future__ import annotations

from agent.finished.ask import ask
from agent.named import MODELS
from agent.settings import Settings
from audit.records.answer import Answer
from audit.records.report import Report
from ui.visitor import visitor_of

NOT_YOURS = "Answered by search: only the owner of an audit may ask the model of this host."


def answer_to(question: str, report: Report, settings: Settings, *, owner: bool) -> Answer:
    """The answer; a stranger's comes from search, and says so.

    Raises:
        UserError: there is no question, or it is too long.
    """
    backend = settings.backend
    stranger = backend in MODELS and not owner
    answer = ask(
        report,
        question,
        backend="rules" if stranger else backend,
        models=settings.models,
        visitor=visitor_of(settings),
    )
    return answer.model_copy(update={"note": NOT_YOURS}) if stranger else answer
