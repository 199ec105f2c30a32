"""What a rule found in a workload, with evidence, expected effect and sources."""

from __future__ import annotations

from typing import Literal

from audit.records.base import Json, Record

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
Semantics = Literal["neutral", "numerics", "dynamics"]
DEFAULT_INCLUDE: frozenset[Semantics] = frozenset({"neutral", "numerics"})
"""What a patch may do unasked: all but changes of what is learned."""
"""neutral: same maths up to summation order. numerics: another kernel or dtype.
dynamics: changes what is learned; offered, never applied by default."""


class Source(Record):
    """Where a claim or figure comes from."""

    title: str
    url: str
    """A web address, or `pypi:NAME==VERSION path`, or `github:OWNER/REPO path@commit`."""
    as_of: str
    """Date or release for which the source was read."""


class Evidence(Record):
    """The place in the user's file that made the rule fire; the text is redacted."""

    file: str | None
    line: int | None
    text: str
    """The line as the user wrote it, or `field = value (default of transformers 5.23.0)`."""


class Effect(Record):
    """The expected effect of following the rule."""

    metric: Literal["speed", "memory", "starts", "quality", "none"]
    """speed: ratio of tokens per second; memory: ratio of peak memory; starts: the run starts."""
    low: float | None = None
    value: float | None = None
    high: float | None = None
    basis: Literal["published", "derived", "none"]
    """published: a source states it; derived: our estimator, edit by edit; none: no figure."""
    text: str = ""
    """The source's own statement in our words, with its hardware and date."""
    scope: Literal["alone", "in_patch"] = "alone"
    """Of a derived figure: against the file with this finding's edits alone, or on top of the edits
    that stand before it in the patch; those multiply to the whole."""


class FieldEdit(Record):
    """One requested change of one normalised field (`env:NAME` for a variable)."""

    field: str
    value: Json = None
    """New value; ignored when `remove` is set."""
    remove: bool = False


class Finding(Record):
    """One rule that fired."""

    id: str
    """f_1, f_2, ... in report order."""
    rule_id: str
    facts: tuple[str, ...]
    severity: Severity
    title: str
    """States the problem in plain words."""
    why: str
    """At most two short sentences."""
    fields: tuple[str, ...]
    evidence: Evidence
    effect: Effect
    semantics: Semantics
    stops_run: bool = False
    """The run does not start (or crashes) as written."""
    edits: tuple[FieldEdit, ...] = ()
    """Empty: advice only, told in `advice`."""
    advice: str | None = None
    caveats: tuple[str, ...] = ()
    verify: str = ""
    """How to check the claim by hand: a command or a place to look."""
    sources: tuple[Source, ...]


class Check(Record):
    """A rule that applied to this workload and did not fire."""

    rule_id: str
    title: str
    """What was found in order: `Precision matches the card`."""
