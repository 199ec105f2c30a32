"""`search "question"`: what the knowledge base knows about it, with sources."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.answers import search_answer
from agent.commands.files import read_file
from agent.commands.say import give, say
from audit.records.base import Json
from audit.records.errors import InputError, UserError

if TYPE_CHECKING:
    from kb.search import Hit


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `search`."""
    parser.add_argument("question", nargs="?", help="in your own words")
    parser.add_argument("-k", type=int, default=5, metavar="N", help="how many answers (default 5)")
    parser.add_argument(
        "--each", metavar="QUERIES.json", help='{"queries": [{"id", "query"}]}: one line for each'
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> int:
    """Print the hits."""
    from kb.search import search

    if given.k < 1:
        message = f"-k is {given.k}; it must be at least 1"
        raise UserError(message)
    if given.each:
        for query in _queries(given.each):
            start = time.perf_counter()
            hits = search(str(query["query"]), given.k)
            spent = round((time.perf_counter() - start) * 1000, 3)
            line = {"id": query["id"], "results": search_answer(hits), "ms": spent}
            give(json.dumps(line, ensure_ascii=False) + "\n")
        return 0
    if not given.question:
        message = "there is no question"
        raise UserError(message, remedy='Ask one: python -m agent search "is eager slow".')
    hits = search(given.question, given.k)
    if given.json:
        give(json.dumps(search_answer(hits), ensure_ascii=False) + "\n")
    else:
        say(_as_text(hits))
    return 0


def _queries(name: str) -> list[dict[str, Json]]:
    upload = read_file(name)
    try:
        queries = json.loads(upload.data)["queries"]
        whole = all({"id", "query"} <= set(query) for query in queries)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        message = 'this is not {"queries": [{"id": ..., "query": ...}, ...]}'
        raise InputError(message, file=upload.name)
    return list(queries)


def _as_text(hits: Sequence[Hit]) -> str:
    if not hits:
        return "Nothing in the knowledge base speaks of that.\n"
    lines: list[str] = []
    for number, hit in enumerate(hits, start=1):
        lines += [f"{number}. {hit.title}", f"   {hit.claim}"]
        lines += [f"   {source.title} ({source.as_of}): {source.url}" for source in hit.sources]
        lines.append(f"   {hit.id}")
    return "\n".join(lines) + "\n"
