"""What a rule is: when it applies and fires, what it edits, what it claims and from where.

A rule is one entry of `kb/rules/<topic>.yaml`; `rulebook` loads them, `match` asks them.
Conditions, formulas and sentences with `{expression}` parts are compiled when first asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from audit.records.base import Json, Record
from audit.records.finding import Semantics, Severity, Source
from kb import operations
from kb.predicate import Expression, Template, parse, parse_condition, parse_template
from kb.situation import Question
from kb.vocabulary import FRAMEWORKS, Kind, is_field, kind_of

Vendor = Literal["amd", "nvidia", "cpu"]
MAX_SENTENCES = 2
_SENTENCE_END = re.compile(r"[.?](?:\s|$)")
_NAMED = re.compile(r"\$([a-z_]+)")
_RANGE = re.compile(r"(>=|<=|>|<|==)\s*([\d.]+)")


class EditPlan(Record):
    """One change of one field that follows from the rule; `env:VLLM_*` stands for many."""

    field: str
    value: Json = None
    """The new value as it is."""
    formula: str | None = None
    """The new value as an expression."""
    remove: bool = False
    when: str | None = None
    """Only where this holds."""
    frameworks: tuple[str, ...] = ()
    """Only for these; empty: for all of the rule."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.value is not None) + (self.formula is not None) + self.remove > 1:
            message = f"edit of {self.field}: give one of value, formula, remove"
            raise ValueError(message)
        if not is_field(self.field.replace("*", "")):
            message = f"edit of {self.field!r}: no field is called that"
            raise ValueError(message)
        return self


class SeverityCase(Record):
    """Another severity under a condition; the first that holds counts."""

    when: str
    severity: Severity


class EffectPlan(Record):
    """What following the rule changes. Derived figures are filled in by the stages, never here."""

    metric: Literal["speed", "memory", "starts", "quality", "none"]
    basis: Literal["published", "derived", "none"]
    low: float | None = None
    value: float | None = None
    high: float | None = None
    text: str = ""

    @model_validator(mode="after")
    def _published_figures_only(self) -> Self:
        if self.basis != "published" and (self.low, self.value, self.high) != (None, None, None):
            message = "only a published effect carries figures"
            raise ValueError(message)
        if self.basis == "published" and not self.text:
            message = "a published effect quotes its source in text"
            raise ValueError(message)
        return self


class Example(Record):
    """A workload on a card that a rule must fire on, or must not; a test runs every one."""

    framework: str
    hardware: str
    """Hardware id of the catalogue."""
    fields: dict[str, Json] = Field(default_factory=dict)
    """Stated fields."""
    defaults: dict[str, Json] = Field(default_factory=dict)
    """Fields with the framework's default value."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Field -> the user's own spelling, where the rule asks for it."""
    versions: dict[str, str] = Field(default_factory=dict)
    versions_stated: bool = False
    lengths: tuple[int, int, int] | None = None
    """p50, p95, max."""
    fit: dict[str, float] = Field(default_factory=dict)
    """Variant -> share of the card."""
    micro_batch_max: int | None = None
    padding_efficiency: float | None = None
    gpus: int = 1
    nodes: int = 1


class Edited(NamedTuple):
    """A compiled EditPlan."""

    plan: EditPlan
    formula: Question | None
    when: Question | None


class Asked(NamedTuple):
    """The conditions of a rule, ready to be asked."""

    applies: Question
    when: Question
    names: tuple[str, ...]
    """Names that `when` reads, in its order."""


class Told(NamedTuple):
    """What a rule that fired says and does."""

    edits: tuple[Edited, ...]
    severities: tuple[tuple[Question, Severity], ...]
    stops_run: Question
    title: Template
    why: Template
    advice: Template | None


class Rule(Record):
    """One rule of the knowledge base."""

    id: str
    headline: str
    """The cure in general words, for the knowledge base and search."""
    title: str
    """States the problem of this file; may hold `{expression}` parts."""
    passed: str
    """What was found in order where the rule applies and does not fire."""
    claim: str
    """Why, in general; at most two sentences."""
    why: str | None = None
    """The claim with figures of this file; may hold `{expression}` parts."""
    keywords: tuple[str, ...] = ()
    """Words that people use for it, for search."""
    facts: tuple[str, ...] = Field(min_length=1)
    """The two most central ones first."""
    frameworks: tuple[str, ...] = Field(min_length=1)
    vendors: tuple[Vendor, ...] = ()
    """Empty: any."""
    archs: tuple[str, ...] = ()
    multi_gpu: bool = False
    """Speaks of several GPUs: never asked where there is one."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Package -> range such as `>=5.0, <6`; a package of unknown version does not apply."""
    let: dict[str, str] = Field(default_factory=dict)
    """Names for expressions: `$name` in any condition, formula or sentence of the rule."""
    applies: str = "true"
    when: str
    severity: Severity
    severity_cases: tuple[SeverityCase, ...] = ()
    semantics: Semantics
    stops_run: bool | str = False
    """Whether the run cannot start as written; a condition where that depends."""
    edits: tuple[EditPlan, ...] = ()
    advice: str | None = None
    """What to do by hand; alone where there are no edits."""
    effect: EffectPlan
    evidence: tuple[str, ...] = ()
    """Fields that show the problem, the most telling first; else the fields of `when`."""
    requires: tuple[str, ...] = ()
    """Rules whose cure must be chosen too where they fired."""
    excludes: tuple[str, ...] = ()
    """Rules that cannot be followed together with this one."""
    supersedes: tuple[str, ...] = ()
    """Rules with nothing left to cure once this one has set every field that they would."""
    order: int = 50
    """Lower is applied first, and comes first between findings of the same weight."""
    caveats: tuple[str, ...] = ()
    verify: str
    """How to check by hand."""
    source_ids: tuple[str, ...] = Field(min_length=1, alias="sources")
    sources_read: tuple[Source, ...] = ()
    """Filled in by the loader."""
    fires_on: Example
    not_on: Example

    @model_validator(mode="after")
    def _complete(self) -> Self:
        message = ""
        if not self.edits and not self.advice:
            message = "a rule needs edits or advice"
        strangers = {*self.frameworks, *(f for e in self.edits for f in e.frameworks)} - FRAMEWORKS
        if strangers:
            message = f"no framework is called {', '.join(sorted(strangers))}"
        for name, text in (("claim", self.claim), ("why", self.why or self.claim)):
            if not 1 <= len(_SENTENCE_END.findall(text)) <= MAX_SENTENCES:
                message = f"{name} is one or two sentences"
        for name in self.evidence:
            if not is_field(name.replace("*", "")):
                message = f"evidence {name!r}: no field is called that"
        for package, text in self.versions.items():
            if _RANGE.sub("", text).strip(" ,"):
                message = f"version range of {package} cannot be read: {text!r}"
        if message:
            raise ValueError(message)
        return self

    @cached_property
    def asked(self) -> Asked:
        """The conditions ready to be asked.

        Raises:
            PredicateError: one cannot be read.
        """
        when = parse_condition(self._filled(self.when))
        applies = " and ".join([f"({self._filled(self.applies)})", *self._ranges()])
        return Asked(parse_condition(applies).run, when.run, when.names)

    @cached_property
    def told(self) -> Told:
        """Edits, severities and sentences, needed only where the rule fires.

        Raises:
            PredicateError: a condition, formula or sentence cannot be read.
        """
        filled, stops = self._filled, self.stops_run
        return Told(
            edits=tuple(_compile(plan, filled) for plan in self.edits),
            severities=tuple(
                (parse_condition(filled(case.when)).run, case.severity)
                for case in self.severity_cases
            ),
            stops_run=parse_condition(stops if isinstance(stops, str) else str(stops).lower()).run,
            title=parse_template(filled(self.title)),
            why=parse_template(filled(self.why or self.claim)),
            advice=parse_template(filled(self.advice)) if self.advice else None,
        )

    def compile_all(self) -> None:
        """Compile everything now, so that what cannot be read is found at load.

        Raises:
            PredicateError: a condition, formula or sentence cannot be read.
        """
        _ = self.asked, self.told

    def _filled(self, text: str) -> str:
        """The text with every `$name` replaced by its expression."""
        while match := _NAMED.search(text):
            if match[1] not in self.let:
                message = f"{match[0]} is not given under let"
                raise ValueError(message)
            text = text[: match.start()] + f"({self.let[match[1]]})" + text[match.end() :]
        return text

    def _ranges(self) -> list[str]:
        return [
            f'version("{package}") {sign} {number}'
            for package, text in self.versions.items()
            for sign, number in _RANGE.findall(text)
        ]


def _compile(plan: EditPlan, filled: Callable[[str], str]) -> Edited:
    kind = kind_of(plan.field.replace("env:", "env.")) or Kind(frozenset({"text"}))
    formula = parse(filled(plan.formula)) if plan.formula else None
    _check_type(plan, kind, formula)
    when = parse_condition(filled(plan.when)).run if plan.when else None
    return Edited(plan, formula.run if formula else None, when)


def _check_type(plan: EditPlan, kind: Kind, formula: Expression | None) -> None:
    given = formula.kind.types if formula else frozenset({operations.type_of(plan.value)})
    if plan.value is None and formula is None:
        return
    if not given & kind.types:
        message = f"edit of {plan.field}: its value has the wrong type"
        raise ValueError(message)
    if kind.choices and isinstance(plan.value, str) and plan.value not in kind.choices:
        message = f"edit of {plan.field}: {plan.value!r} is none of {sorted(kind.choices)}"
        raise ValueError(message)
