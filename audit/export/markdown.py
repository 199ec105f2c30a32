"""The report as Markdown, for an issue, a pull request or a file beside the patch.

What comes from the user's file is put into code spans or escaped, so that it stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from audit.export.figures import effect_text, metric_rows, speedup_text
from audit.records.finding import Finding
from audit.records.patch import Edit
from audit.records.report import Report

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~$])")


def report_markdown(report: Report) -> str:
    """The whole report; every figure carries its provenance."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from _head(report)
    yield from _findings(report)
    yield from _patch(report)
    yield from _figures(report)
    yield from _rest(report)


def _head(report: Report) -> Iterator[str]:
    card = report.hardware
    nodes = f"{card.nodes} x " if card.nodes > 1 else ""
    yield f"# Audit of {code_span(report.workload_name)}"
    yield ""
    yield (
        f"{report.format} on {nodes}{card.gpus} x {plain(card.name)} ({card.origin}); made by "
        f"{report.completed_by}, tier {report.tier}; {report.provenance}."
    )
    yield ""
    if not report.starts_as_written:
        yield (
            '**This file does not start as written.** "Before" is the same file with only the '
            "edits that let it start."
        )
        yield ""
    known = report.comparison.verdict != "not_comparable"
    nothing = "" if report.findings else "Nothing to fix. " if known else "No finding. "
    yield f"**{nothing}{_sentence(speedup_text(report.comparison))}** {report.comparison.reason}"


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield from ("", "## Findings")
    for finding in report.findings:
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield from ("", f"### {finding.severity}: {plain(finding.title)}", "")
    evidence = finding.evidence
    place = f"{code_span(evidence.file)}, line {evidence.line}: " if evidence.file else ""
    yield f"- {place}{code_span(evidence.text)}"
    effect = effect_text(finding.effect)
    told = (
        ("", finding.why),
        ("Effect: ", effect),
        ("Advice: ", finding.advice or ""),
        *(("Mind: ", caveat) for caveat in finding.caveats),
        ("Check: ", finding.verify),
    )
    yield from (f"- {head}{plain(text)}" for head, text in told if text)
    for source in finding.sources:
        yield f"- Source: {plain(source.title)} ({plain(source.as_of)}), {_link(source.url)}"
    yield f"- {finding.id}, rule {code_span(finding.rule_id)}, {finding.semantics}"


def _patch(report: Report) -> Iterator[str]:
    patch = report.patch
    if not patch.edits:
        return
    yield from ("", "## Patch", "", "| field | before | after | kind | |", "|---|---|---|---|---|")
    yield from map(_edit_row, patch.edits)
    if patch.diff:
        fence = _fence(patch.diff)
        yield from ("", f"{fence}diff", patch.diff.rstrip("\n"), fence)
    if patch.env or patch.launch:
        lines = [f"export {name}={value}" for name, value in patch.env.items()]
        yield from ("", "```sh", *lines, *([patch.launch] if patch.launch else []), "```")


def _edit_row(edit: Edit) -> str:
    after = "(removed)" if edit.remove else _cell(json.dumps(edit.after, ensure_ascii=False))
    before = _cell(json.dumps(edit.before, ensure_ascii=False))
    place = f"{edit.file}, line {edit.line}" if edit.file and edit.line else ""
    told = place if edit.applied else f"not applied: {edit.reason} {edit.advice or ''}".strip()
    return f"| {code_span(edit.field)} | {before} | {after} | {edit.semantics} | {plain(told)} |"


def _figures(report: Report) -> Iterator[str]:
    rows = metric_rows(report.before, report.after)
    failures = [arm for arm in (report.before, report.after) if arm is not None and arm.failure]
    if rows:
        yield from ("", "## Before and after", "", "| | before | after |", "|---|---|---|")
        yield from (f"| {row.label} | {' | '.join(row.texts)} |" for row in rows)
    for arm in failures:
        yield from ("", f"{arm.arm}: {plain(arm.failure or '')}")
    if rows and report.believe is not None:
        yield from ("", f"Why believe a projected figure: {plain(report.believe.text)}")


def _rest(report: Report) -> Iterator[str]:
    if report.leads:
        yield from (
            "",
            "## Unverified leads",
            "",
            "Found by reading; no rule or benchmark says so.",
        )
        yield from ("", "| change | evidence | expected | measured | source | confidence |")
        yield "|---|---|---|---|---|---|"
        for lead in report.leads:
            told = (lead.change, lead.evidence, lead.expected or "", lead.measured or "")
            cells = [*map(plain, told), code_span(lead.source), lead.confidence]
            yield f"| {' | '.join(cells)} |"
    if report.checked:
        yield from ("", "## Checked and in order", "")
        yield from (f"- {plain(check.title)}" for check in report.checked)
    if report.notices:
        yield from ("", "## Notes on the file", "")
        for notice in report.notices:
            line = f"line {notice.line}: " if notice.line else ""
            yield f"- {line}{plain(notice.message)}"
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield from ("", f"Read with {plain(versions)} (versions {report.versions_origin}).")
    if report.lengths is not None:
        lengths = report.lengths
        yield (
            f"Token lengths p50 {lengths.p50}, p95 {lengths.p95}, max {lengths.max} "
            f"({lengths.origin}: {plain(lengths.source)})."
        )


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code_span(text: str) -> str:
    """A code span, fenced by more backticks than the text holds in a row."""
    line = " ".join(text.split())
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{ticks} {line} {ticks}" if len(ticks) > 1 else f"`{line}`"


def _cell(text: str) -> str:
    return code_span(text).replace("|", "\\|")


def _link(url: str) -> str:
    return f"<{url}>" if re.fullmatch(r"https?://[^\s<>]+", url) else code_span(url)


def _fence(text: str) -> str:
    return "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
