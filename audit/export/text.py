"""The report for a terminal: verdict first, then findings, patch, figures, and what was checked."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from audit.export.figures import effect_text, metric_rows, speedup_text
from audit.export.printable import printable
from audit.records.base import Json
from audit.records.finding import Finding
from audit.records.patch import Edit
from audit.records.report import HardwareUsed, Report

WIDTH = 96
MARKS = {"neutral": "=", "numerics": "≈", "dynamics": "Δ"}
"""= same maths up to summation order, ≈ another kernel or dtype, Δ changes what is learned."""


def report_text(report: Report) -> str:
    """The whole report as plain text; every figure carries its provenance."""
    return printable("\n".join(_lines(report))) + "\n"


def hardware_text(used: HardwareUsed) -> str:
    """`2 x 8 x AMD Instinct MI300X, 192 GB (assumed)`: nodes, cards of each, and who named them."""
    memory = f", {used.memory_gb:.0f} GB" if used.memory_gb else ""
    nodes = f"{used.nodes} x " if used.nodes > 1 else ""
    return f"{nodes}{used.gpus} x {used.name}{memory} ({used.origin})"


def _lines(report: Report) -> Iterator[str]:
    yield from _head(report)
    yield from _findings(report)
    yield from _patch(report)
    yield from _figures(report)
    yield from _rest(report)


def _head(report: Report) -> Iterator[str]:
    yield f"Audit of {report.workload_name}"
    yield (
        f"{report.format}; {hardware_text(report.hardware)}; "
        f"by {report.completed_by}, tier {report.tier}, {report.provenance}"
    )
    yield ""
    if not report.starts_as_written:
        yield from _wrapped(
            'THIS FILE DOES NOT START AS WRITTEN. "Before" below is the same file with only the '
            "edits that let it start."
        )
    if not report.findings:
        yield _nothing(report)
    yield from _wrapped(f"Verdict: {speedup_text(report.comparison)}")
    if report.comparison.reason:
        yield from _wrapped(report.comparison.reason)


def _nothing(report: Report) -> str:
    """No finding: a result where the run could be projected, and only a part of one where not."""
    if report.comparison.verdict == "not_comparable":
        return "No finding, and no figures."
    return "Nothing to fix."


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield from _title(f"Findings ({len(report.findings)})")
    for number, finding in enumerate(report.findings):
        if number:
            yield ""
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity.upper():8}  {MARKS[finding.semantics]} {finding.title}"
    evidence = finding.evidence
    place = f"{evidence.file}, line {evidence.line}: " if evidence.file else ""
    yield from _wrapped(f"{place}{evidence.text}", 10)
    yield from _wrapped(finding.why, 10)
    effect = effect_text(finding.effect)
    if effect:
        yield from _wrapped(f"Effect: {effect}", 10)
    if finding.advice:
        yield from _wrapped(f"Advice: {finding.advice}", 10)
    for caveat in finding.caveats:
        yield from _wrapped(f"Mind: {caveat}", 10)
    if finding.verify:
        yield from _wrapped(f"Check: {finding.verify}", 10)
    for source in finding.sources:
        yield f"          {source.title} ({source.as_of}): {source.url}"
    yield f"          {finding.id}, rule {finding.rule_id}"


def _patch(report: Report) -> Iterator[str]:
    edits = report.patch.edits
    if not edits:
        return
    yield from _title("Patch   = same maths   ≈ other kernel or dtype   Δ changes what is learned")
    for edit in edits:
        yield from _wrapped(_edit(edit), 2)
    if report.patch.diff:
        yield ""
        yield from report.patch.diff.rstrip("\n").split("\n")
    if report.patch.env or report.patch.launch:
        yield ""
    for name, value in report.patch.env.items():
        yield f"export {name}={value}"
    if report.patch.launch:
        yield report.patch.launch


def _edit(edit: Edit) -> str:
    change = "remove" if edit.remove else f"{_value(edit.before)} -> {_value(edit.after)}"
    place = f" ({edit.file}, line {edit.line})" if edit.file and edit.line else ""
    text = f"{MARKS[edit.semantics]} {edit.field}: {change}{place}"
    if edit.applied:
        return text
    advice = f" {edit.advice}" if edit.advice else ""
    return f"not applied {text}. {edit.reason}.{advice}"


def _figures(report: Report) -> Iterator[str]:
    rows = metric_rows(report.before, report.after)
    failures = [arm for arm in (report.before, report.after) if arm is not None and arm.failure]
    if not rows and not failures:
        return
    yield from _title("Before and after" if report.after else "As it is")
    first = max((len(row.label) for row in rows), default=0)
    second = max((len(row.texts[0]) for row in rows), default=0)
    for row in rows:
        before, after = row.texts
        shown = f"   {after}" if report.after else ""
        yield f"  {row.label.ljust(first)}   {before.ljust(second)}{shown}".rstrip()
    for arm in failures:
        yield f"  {arm.arm}: {arm.failure}"
    if report.believe is not None:
        yield ""
        yield from _wrapped(f"Why believe a projected figure: {report.believe.text}", 2)


def _rest(report: Report) -> Iterator[str]:
    if report.leads:
        yield from _title("Unverified leads: found by reading, not checked, not applied")
        for lead in report.leads:
            yield from _wrapped(f"{lead.change}. {lead.evidence} ({lead.source})", 2)
    if report.checked:
        yield from _title(f"Checked and in order ({len(report.checked)})")
        yield from (f"  {check.title}" for check in report.checked)
    if report.notices:
        yield from _title("Notes on the file")
        for notice in report.notices:
            line = f"line {notice.line}: " if notice.line else ""
            yield from _wrapped(f"{line}{notice.message}", 2)
    yield from _title("Read with")
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield from _wrapped(f"{versions} (versions {report.versions_origin})", 2)
    if report.lengths is not None:
        lengths = report.lengths
        yield from _wrapped(
            f"token lengths p50 {lengths.p50}, p95 {lengths.p95}, max {lengths.max} "
            f"({lengths.origin}: {lengths.source})",
            2,
        )


def _title(text: str) -> Iterator[str]:
    yield ""
    yield text
    yield "-" * min(WIDTH, len(text))


def _wrapped(text: str, indent: int = 0) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _value(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
