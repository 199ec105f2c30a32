"""What a finished audit says, cut into passages that can be cited; the material of every answer.

Redacted like the report it comes from. Nothing here ranks or answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from audit.export.figures import effect_text, metric_rows, speedup_text
from audit.export.numbers import value_text
from audit.export.standing import WORDS, place_findings
from audit.records.answer import Citation
from audit.records.report import Report
from audit.records.workload import FieldValue


class Passage(NamedTuple):
    """One thing the record or the knowledge base says."""

    citations: tuple[Citation, ...]
    """What it rests on, the first its own."""
    title: str
    text: str

    @property
    def ref(self) -> str:
        """The reference of the passage itself."""
        return self.citations[0].ref


def passages_of(report: Report) -> tuple[Passage, ...]:
    """Findings, edits, figures, fields, checks and assumptions of a report, in that order."""
    return (
        *_figures(report), *_findings(report), *_edits(report), *_fields(report),
        *_checks(report), *_notes(report),
    )  # fmt: skip


def rule_citation(rule_id: str) -> Citation:
    """A rule by its id."""
    return Citation(ref=f"rule:{rule_id}", kind="rule", label=rule_id, rule_id=rule_id)


def line_citation(file: str, line: int) -> Citation:
    """A line of the user's file."""
    label = f"{file}:{line}"
    return Citation(ref=f"line:{label}", kind="line", label=label, file=file, line=line)


def _place(file: str | None, line: int | None) -> tuple[Citation, ...]:
    return (line_citation(file, line),) if file and line else ()


def _findings(report: Report) -> Iterator[Passage]:
    for placed in place_findings(report):
        finding, evidence = placed.finding, placed.finding.evidence
        reasons = "; ".join(edit.reason for edit in placed.edits if edit.reason)
        parts = [
            finding.why,
            f"Severity {finding.severity}.",
            "It stops the run." if finding.stops_run else "",
            effect_text(finding.effect),
            finding.advice or "",
            f"{WORDS[placed.standing]}{f': {reasons}' if reasons else ''}.",
            f"The line says “{evidence.text}”." if evidence.text else "",
        ]
        text = " ".join(part.strip() for part in parts if part.strip())
        place = _place(evidence.file, evidence.line)
        rule = rule_citation(finding.rule_id)
        yield Passage((rule, *place), finding.title, text)
        if finding.verify or finding.caveats:
            caveats = " ".join(finding.caveats)
            check = f"Check by hand: {finding.verify} {caveats}".strip()
            yield Passage((rule, *place), f"How to verify: {finding.title}", check)


def _edits(report: Report) -> Iterator[Passage]:
    for edit in report.patch.edits:
        after = "taken out" if edit.remove else value_text(edit.after)
        state = "In the patch" if edit.applied else f"Not applied: {edit.reason or 'no reason'}"
        own = Citation(ref=f"edit:{edit.field}", kind="edit", label=f"edit of {edit.field}")
        rules = tuple(map(rule_citation, edit.rule_ids))
        change = f"{edit.field}: {value_text(edit.before)} becomes {after}"
        advice = f" By hand: {edit.advice}" if edit.advice else ""
        yield Passage((own, *_place(edit.file, edit.line), *rules), change, f"{state}.{advice}")


def _figures(report: Report) -> Iterator[Passage]:
    compared = report.comparison
    speed = Citation(
        ref="figure:speedup", kind="figure", label="speedup", provenance=compared.provenance
    )
    yield Passage((speed,), f"Verdict: {speedup_text(compared)}", compared.reason)
    arms = [arm for arm in (report.before, report.after) if arm is not None]
    for row in metric_rows(*arms):
        own = Citation(
            ref=f"figure:{row.metric}",
            kind="figure",
            label=row.label,
            provenance=report.provenance,
        )
        words = ("before", "after") if len(arms) > 1 else ("your file",)
        told = "; ".join(f"{word} {text}" for word, text in zip(words, row.texts, strict=True))
        yield Passage((own,), f"{row.label}: {told}", "")
    for word, arm in zip(("before", "after"), (report.before, report.after), strict=True):
        if arm is not None and arm.failure:
            own = Citation(ref=f"figure:{word}", kind="figure", label=f"the run {word}")
            yield Passage((own,), f"The run {word} failed: {arm.failure}", "")


def _fields(report: Report) -> Iterator[Passage]:
    for name, field in report.fields.items():
        own = Citation(ref=f"field:{name}", kind="field", label=name)
        written = field.written or value_text(field.value)
        told = f"{field.key or name}: {written}"
        yield Passage((*_place(field.file, field.line), own), told, _origin(name, field))


def _origin(name: str, field: FieldValue) -> str:
    source = f" ({field.source})" if field.source else ""
    return f"{name} is {value_text(field.value)}, {field.origin}{source}."


def _checks(report: Report) -> Iterator[Passage]:
    for check in report.checked:
        yield Passage((rule_citation(check.rule_id),), f"In order: {check.title}", "")


def _notes(report: Report) -> Iterator[Passage]:
    told = [*report.profile.assumptions, *(notice.message for notice in report.notices)]
    for number, sentence in enumerate(told, start=1):
        own = Citation(ref=f"note:{number}", kind="note", label="assumption or notice")
        yield Passage((own,), f"Assumed or noticed: {sentence}", "")
