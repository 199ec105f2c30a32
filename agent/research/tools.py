"""The read-only tools of the research sub-agent, and the one in which it hands its leads over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import Field

from agent.research.fetch import Fetcher, Refused
from agent.research.library import Library
from audit.export.numbers import count
from audit.records.base import Json, Record
from audit.records.errors import ModelMistake
from audit.records.lead import Lead

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD, TAIL = 4800, 3200
"""Characters of a long answer: its beginning and its end."""
REPORT = "report_leads"
NAME = r"[\w-][\w.-]*"
"""One part of a path or an id; none climbs, since none begins with a dot."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tools of one research share."""

    library: Library
    fetcher: Fetcher | None
    """None: no network may be used."""


@dataclass(frozen=True, slots=True)
class ResearchTool:
    """A function with a typed argument record; its docstring is what a model reads."""

    name: str
    arguments: type[Record]
    function: Callable[[Reading, Any], str]
    network: bool

    @property
    def description(self) -> str:
        """One line for the model."""
        return (self.function.__doc__ or "").strip()

    def schema(self) -> dict[str, Json]:
        """JSON schema of the arguments."""
        return self.arguments.model_json_schema()


TOOLS: dict[str, ResearchTool] = {}


def _tool(
    arguments: type[Record], *, network: bool = False
) -> Callable[[Callable[[Reading, Any], str]], ResearchTool]:
    def enter(function: Callable[[Reading, Any], str]) -> ResearchTool:
        entered = ResearchTool(function.__name__, arguments, function, network)
        TOOLS[entered.name] = entered
        return entered

    return enter


def tools_for(reading: Reading) -> tuple[ResearchTool, ...]:
    """The tools that may be used: without a network the knowledge base and the docs are left."""
    return tuple(one for one in TOOLS.values() if reading.fetcher or not one.network)


class Words(Record):
    """A question, or some words of it."""

    question: str = Field(max_length=400)


class Entry(Record):
    """The id of a rule or a fact."""

    entry_id: str = Field(max_length=120)


class DocPage(Record):
    """A page of the Hugging Face documentation, such as `trl/sft_trainer`."""

    path: str = Field(max_length=200, pattern=rf"^{NAME}(?:/{NAME})*$")


class Dataset(Record):
    """The id of a data set on the Hub."""

    dataset: str = Field(max_length=200, pattern=rf"^{NAME}(?:/{NAME})?$")


class RepoFile(Record):
    """A file of a public repository on GitHub, from a line on."""

    repo: str = Field(max_length=140, pattern=rf"^{NAME}/{NAME}$")
    path: str = Field(max_length=300, pattern=r"^[^?#]+$")
    first_line: int | None = None


class RepoWords(Record):
    """Words to look for in the issues of a repository."""

    repo: str = Field(max_length=140, pattern=rf"^{NAME}/{NAME}$")
    words: str = Field(max_length=200)


class Leads(Record):
    """The outcome of the research."""

    leads: list[Lead] = Field(max_length=20)


@_tool(Words)
def search_kb(reading: Reading, given: Words) -> str:
    """Ask the knowledge base of rules and facts on fine-tuning with AMD and NVIDIA GPUs."""
    from kb.search import search

    hits = search(given.question, 6)
    for hit in hits:
        reading.library.add(hit.id, hit.claim)
    lines = [f"{hit.id}: {hit.claim}" for hit in hits]
    return "\n".join(lines) or "Nothing is known about that."


@_tool(Entry)
def read_entry(reading: Reading, given: Entry) -> str:
    """Read one rule or fact of the knowledge base in full, with its sources."""
    from kb.factbook import find_fact
    from kb.rulebook import find_rule

    found: Record | None = find_rule(given.entry_id) or find_fact(given.entry_id)
    if found is None:
        message = f"there is no entry called {given.entry_id!r}; search_kb lists their ids"
        raise ModelMistake(message)
    left_out = {"fires_on", "not_on", "source_ids", "keywords"}
    text = json.dumps(found.model_dump(mode="json", exclude=left_out, exclude_none=True))
    reading.library.add(given.entry_id, text)
    return text


@_tool(Words)
def search_docs(reading: Reading, given: Words) -> str:
    """Look into this tool's own documentation for the paragraphs nearest to some words."""
    from kb.words import words_of

    wanted = set(words_of(given.question))
    found: list[tuple[int, str, str]] = []
    for page in sorted(DOCS.glob("*.md")):
        for part in page.read_text(encoding="utf-8").split("\n\n"):
            shared = len(wanted & set(words_of(part)))
            if shared:
                found.append((shared, f"docs/{page.name}", part.strip()))
    found.sort(key=lambda row: (-row[0], row[1]))
    for _, source, part in found[:4]:
        reading.library.add(source, part)
    return "\n\n".join(f"{source}: {part}" for _, source, part in found[:4]) or "Nothing."


@_tool(DocPage, network=True)
def read_hf_doc(reading: Reading, given: DocPage) -> str:
    """Read a page of the Hugging Face documentation, such as trl/sft_trainer."""
    return _read(reading, f"https://huggingface.co/docs/{quote(given.path)}.md")


@_tool(Words, network=True)
def search_papers(reading: Reading, given: Words) -> str:
    """Find papers on the Hub by words: titles, ids and summaries."""
    query = urlencode({"q": given.question})
    return _read(reading, f"https://huggingface.co/api/papers/search?{query}")


@_tool(Dataset, network=True)
def dataset_columns(reading: Reading, given: Dataset) -> str:
    """List the configurations, splits and columns of a data set on the Hub."""
    query = urlencode({"dataset": given.dataset})
    return _read(reading, f"https://datasets-server.huggingface.co/info?{query}")


@_tool(RepoFile, network=True)
def read_github_file(reading: Reading, given: RepoFile) -> str:
    """Read a file of a public GitHub repository at its default branch, from a line on."""
    url = f"https://raw.githubusercontent.com/{given.repo}/HEAD/{quote(given.path)}"
    text = _read(reading, url)
    return "\n".join(text.splitlines()[max(0, (given.first_line or 1) - 1) :])


@_tool(RepoWords, network=True)
def search_github_issues(reading: Reading, given: RepoWords) -> str:
    """Find issues and pull requests of a GitHub repository by words."""
    query = urlencode({"q": f"repo:{given.repo} {given.words}", "per_page": 5})
    url = f"https://api.github.com/search/issues?{query}"
    text = _read(reading, url)
    try:
        items = json.loads(text)["items"]
        rows = [(str(one["html_url"]), f"{one['title']}\n{one['body'] or ''}") for one in items]
    except (ValueError, KeyError, TypeError):
        return text
    for source, said in rows:
        reading.library.add(source, said)
    return "\n\n".join(f"{source}: {said[:1200]}" for source, said in rows) or "No issue."


@_tool(Leads)
def report_leads(reading: Reading, given: Leads) -> str:
    """Hand over the leads and end: each with the id or address it was read at, as given to you."""
    return count(len(given.leads), "lead")


def _read(reading: Reading, url: str) -> str:
    if reading.fetcher is None:
        message = "no network may be used"
        raise ModelMistake(message)
    try:
        page = reading.fetcher.get(url)
    except Refused as refused:
        message = f"{url} was not read: {refused}"
        raise ModelMistake(message) from refused
    reading.library.add(url, page.text)
    return f"{url}\n{page.text}"


def bounded(text: str) -> str:
    """A long answer's beginning and end."""
    if len(text) <= HEAD + TAIL:
        return text
    return f"{text[:HEAD]}\n(... {len(text) - HEAD - TAIL} characters left out ...)\n{text[-TAIL:]}"
