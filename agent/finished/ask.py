"""Answers a question about a finished audit from its record and the knowledge base.

Without a model by search alone. A model gets the redacted passages that search found and nothing
else; what it writes is held to them: citations that do not exist are removed, a sentence with a
figure that no passage holds is left out, and where nothing remains the search answers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from agent.finished.passages import Passage, passages_of, rule_citation
from agent.request import NOBODY, Visitor
from agent.settings import ModelSettings
from audit.log.redact import redact
from audit.records.answer import Answer, Citation, Said
from audit.records.errors import UserError
from audit.records.report import Report

MAX_QUESTION = 500
SHOWN, SHOWN_KB = 4, 2
"""Passages of the record, and entries of the knowledge base, in an answer by search."""
TITLE_WEIGHT, RELATED_WEIGHT = 2.0, 0.4
FIGURE_WEIGHT, ON_LINE = 1.6, 100.0
"""A figure says little in many words' place; a line that is asked for by number comes first."""
LINE = re.compile(r"\blines?\s+(\d{1,6})\b")
WEAK = 0.25
"""Share of the best score below which a passage says nothing to the question."""


def ask(
    report: Report,
    question: str,
    *,
    backend: str = "rules",
    models: ModelSettings | None = None,
    visitor: Visitor = NOBODY,
) -> Answer:
    """The answer to a question about a finished audit.

    Args:
        report: the audit.
        question: in the user's own words.
        backend: who words the answer; `rules` (or any without a model): search.
        models: keys and addresses; None: a model cannot be asked.
        visitor: who asks; on a Space a model is theirs to pay for, or within their allowance.

    Raises:
        UserError: there is no question, or it is too long.
    """
    from agent.named import BACKENDS, MODELS, check_name

    check_name("backend", backend, BACKENDS)
    asked = redact(" ".join(question.split()))
    if not asked:
        message = "there is no question"
        raise UserError(message, remedy="Ask one, such as: why is attention slow?")
    if len(asked) > MAX_QUESTION:
        message = f"the question has {len(asked)} characters"
        raise UserError(message, remedy=f"Ask with at most {MAX_QUESTION}.")
    if backend in MODELS and models is not None:
        from agent.finished.ask_model import ask_model

        return ask_model(report, asked, backend, models, visitor)
    return by_search(report, asked)


def by_search(report: Report, question: str, note: str = "") -> Answer:
    """The passages that fit best, as they stand."""
    found = ranked(question, passages_of(report))[:SHOWN]
    told = [_said(passage) for passage in (*found, *from_kb(question, SHOWN_KB, found))]
    if not told:
        note = note or "Nothing in this audit or the knowledge base speaks of that."
    return Answer(question=question, by="search", said=tuple(told), note=note)


def ranked(question: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that have something to do with a question, best first: BM25 without length."""
    from kb.words import related, words_of

    counted = [_counted(passage) for passage in passages]
    holders = Counter(word for words in counted for word in words)

    def rarity(word: str) -> float:
        return math.log(1 + len(passages) / (1 + holders[word]))

    wanted: dict[str, float] = {}
    for word in words_of(question):
        wanted[word] = 1.0
        for other in related(word):
            wanted.setdefault(other, RELATED_WEIGHT)
    scores = [
        sum(
            weight * rarity(word) * words[word] / (words[word] + 1)
            for word, weight in wanted.items()
            if word in words
        )
        for words in counted
    ]
    lines = {int(found) for found in LINE.findall(question.lower())}
    for place, passage in enumerate(passages):
        if passage.citations[0].kind == "figure":
            scores[place] *= FIGURE_WEIGHT
        if lines & {one.line for one in passage.citations}:
            scores[place] += ON_LINE
    best = max(scores, default=0.0)
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return [passages[place] for place in order if scores[place] > max(0.0, WEAK * best)]


def from_kb(question: str, k: int, told: Sequence[Passage]) -> list[Passage]:
    """Rules and facts of the knowledge base that are not told already."""
    from kb.rulebook import find_rule
    from kb.search import search

    known = {citation.ref for passage in told for citation in passage.citations}
    found = []
    for hit in search(question, k + len(known)):
        rule = find_rule(hit.id)
        own = (
            rule_citation(hit.id)
            if rule
            else Citation(ref=f"fact:{hit.id}", kind="fact", label=hit.id)
        )
        if own.ref not in known:
            found.append(Passage((own,), hit.title, hit.claim))
    return found[:k]


def _counted(passage: Passage) -> dict[str, float]:
    from kb.words import words_of

    words: dict[str, float] = {}
    for word in words_of(passage.text):
        words[word] = words.get(word, 0.0) + 1
    labels = " ".join(re.sub(r"[:/]", " ", citation.label) for citation in passage.citations)
    for word in words_of(f"{passage.title} {labels}"):
        words[word] = words.get(word, 0.0) + TITLE_WEIGHT
    return words


def _said(passage: Passage) -> Said:
    text = f"{passage.title.rstrip('.')}. {passage.text}".strip()
    return Said(text=text, citations=passage.citations)
