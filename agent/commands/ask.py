"""`ask ID "question"`: what a kept audit and the knowledge base have to say to a question."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from agent.commands.kept import kept_report
from agent.commands.options import settings
from agent.commands.say import give, say
from audit.export.numbers import count
from audit.records.answer import Answer

WIDTH = 96


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `ask`."""
    parser.add_argument("id", help="a kept audit; a unique beginning is enough")
    parser.add_argument("question", help="in your own words")
    parser.add_argument(
        "--backend", help="a model that words the answer (default: GOBLIN_AGENT_BACKEND, else none)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> int:
    """Print the answer."""
    from agent.finished.ask import ask

    operator = settings()
    answer = ask(
        kept_report(given.id),
        given.question,
        backend=given.backend or operator.backend,
        models=operator.models,
    )
    if given.json:
        give(answer.model_dump_json() + "\n")
    else:
        say("\n".join(_lines(answer)) + "\n")
    return 0


def _lines(answer: Answer) -> Iterator[str]:
    if answer.note:
        yield from textwrap.wrap(answer.note, WIDTH)
        yield ""
    for said in answer.said:
        yield from textwrap.wrap(said.text, WIDTH)
        yield from textwrap.wrap(
            " ".join(f"[{one.ref}]" for one in said.citations) or "[no source cited]",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
        )
    if answer.dropped or answer.unsupported:
        yield (
            f"left out: {count(answer.dropped, 'sentence')} with figures that the record does not "
            f"hold, {count(answer.unsupported, 'citation')} that do not exist"
        )
    yield f"by {answer.by}"
