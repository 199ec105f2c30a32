"""An answer to a question about a finished audit, each sentence with what it rests on."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Provenance, Record
from audit.records.events import UsageData

CitedKind = Literal["rule", "fact", "line", "edit", "figure", "check", "field", "note"]


class Citation(Record):
    """Something that exists: an entry of the knowledge base, or a part of the audit's record."""

    ref: str
    """`rule:attention.eager`, `fact:mem-01`, `line:config.yml:31`, `edit:bf16`, `figure:step_s`."""
    kind: CitedKind
    label: str
    """As it is printed: `config.yml:31`, a rule's id."""
    rule_id: str | None = None
    """Of the rule to open; None where it is no rule."""
    file: str | None = None
    line: int | None = None
    provenance: Provenance | None = None
    """Of a figure."""


class Said(Record):
    """One sentence or passage of an answer."""

    text: str
    citations: tuple[Citation, ...] = ()


class Answer(Record):
    """What the audit's record and the knowledge base have to say to a question."""

    question: str
    by: str
    """`search`, or the model's name."""
    said: tuple[Said, ...]
    dropped: int = 0
    """Sentences of a model left out: a figure that the record does not hold."""
    unsupported: int = 0
    """Citations of a model that do not exist; they were removed."""
    note: str = ""
    """Why the answer is by search where a model was asked, or is empty."""
    usage: tuple[UsageData, ...] = ()
    """What a model used, kind `ask`."""
