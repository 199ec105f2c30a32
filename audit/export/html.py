"""The report as one HTML file: own style and SVG, no script, opens offline, light and dark.

It prints the figures of `audit.export.figures` and escapes every text; it computes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from audit.export.arms import only_one
from audit.export.figures import effect_text, metric_rows, speedup_text
from audit.export.html_charts import memory_bars, metric_bars, patterns, time_bars
from audit.export.html_elements import (
    badge,
    diff_table,
    document,
    figure_table,
    source_link,
    text,
)
from audit.export.html_parity import parity_section
from audit.export.numbers import number
from audit.export.step_walk import edit_by_edit, walk
from audit.records.finding import Finding
from audit.records.patch import Edit
from audit.records.report import Report

MEANING = {
    "neutral": "= same maths",
    "numerics": "≈ other rounding",
    "dynamics": "Δ changes training",
}


def report_html(report: Report) -> str:
    """The whole report; every figure carries badge and interval."""
    return document(f"Audit of {report.workload_name}", _body(report))


def _body(report: Report) -> Iterator[str]:
    yield patterns()
    yield _head(report)
    if report.findings:
        yield f"<h2>Findings ({len(report.findings)})</h2>"
        yield from map(_finding, report.findings)
    yield _patch(report)
    yield from _figures(report)
    yield from _rest(report)


def _head(report: Report) -> str:
    card = report.hardware
    nodes = f"{card.nodes} x " if card.nodes > 1 else ""
    memory = f", {card.memory_gb:.0f} GB" if card.memory_gb else ""
    known = report.comparison.verdict != "not_comparable"
    nothing = "" if report.findings else "Nothing to fix. " if known else "No finding. "
    verdict = speedup_text(report.comparison)
    stop = (
        ""
        if report.starts_as_written
        else '<p class="stop">This file does not start as written. "Before" is the same file '
        "with only the edits that let it start.</p>"
    )
    speedup = "" if report.comparison.speedup is None else ' data-metric="speedup"'
    provenance = report.comparison.provenance or report.provenance
    return (
        f'<header class="card"><p class="meta"><b class="mono">{text(report.workload_name)}</b> '
        f"&middot; {text(report.format)} &middot; {nodes}{card.gpus} x {text(card.name)}{memory} "
        f"({card.origin}) &middot; by {report.completed_by}, tier {report.tier}</p>"
        f'<h1>{nothing}<span{speedup} data-provenance="{provenance}">'
        f"{text(verdict[:1].upper() + verdict[1:])}</span></h1>{stop}"
        f"<p>{badge(provenance, _anchored(report))} {text(report.comparison.reason)}</p></header>"
    )


def _anchored(report: Report) -> bool:
    arm = report.after or report.before
    return bool(arm and arm.anchored)


def _finding(finding: Finding) -> str:
    evidence = finding.evidence
    line = f", line {evidence.line}" if evidence.line else ""
    place = f"{text(evidence.file)}{line}: " if evidence.file else ""
    told = (
        ("Effect", effect_text(finding.effect)),
        ("Advice", finding.advice or ""),
        *(("Mind", caveat) for caveat in finding.caveats),
        ("Check", finding.verify),
    )
    rows = "".join(f"<dt>{name}:</dt><dd>{text(said)}</dd>" for name, said in told if said)
    sources = "".join(f"<dd>{source_link(source)}</dd>" for source in finding.sources)
    return (
        f'<article class="card" data-finding="{text(finding.id)}">'
        f'<div class="head"><span class="severity {finding.severity}">{finding.severity}</span>'
        f'<span class="sub">{MEANING[finding.semantics]}</span></div>'
        f"<h3>{text(finding.title)}</h3>"
        f'<code class="evidence">{place}{text(evidence.text)}</code><p>{text(finding.why)}</p>'
        f'<dl class="told">{rows}<dt>Source:</dt>{sources}</dl>'
        f'<p class="sub">{text(finding.id)}, rule <code>{text(finding.rule_id)}</code></p>'
        "</article>"
    )


def _patch(report: Report) -> str:
    patch = report.patch
    if not patch.edits:
        return ""
    rows = "".join(map(_edit_row, patch.edits))
    diff = diff_table(patch.diff) if patch.diff else ""
    lines = [f"export {name}={value}" for name, value in patch.env.items()]
    lines += [patch.launch] if patch.launch else []
    shell = f"<pre>{text(chr(10).join(lines))}</pre>" if lines else ""
    return (
        '<h2>Patch</h2><section class="card"><div class="scroll"><table><thead><tr>'
        "<th>field</th><th>before</th><th>after</th><th>kind</th><th>place</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{diff}{shell}</section>"
    )


def _edit_row(edit: Edit) -> str:
    after = "(removed)" if edit.remove else json.dumps(edit.after, ensure_ascii=False)
    before = json.dumps(edit.before, ensure_ascii=False)
    place = f"{edit.file}, line {edit.line}" if edit.file and edit.line else ""
    told = place if edit.applied else f"not applied: {edit.reason} {edit.advice or ''}".strip()
    return (
        f"<tr><td><code>{text(edit.field)}</code></td><td><code>{text(before)}</code></td>"
        f"<td><code>{text(after)}</code></td><td>{edit.semantics}</td><td>{text(told)}</td></tr>"
    )


def _figures(report: Report) -> Iterator[str]:
    arms = (report.before, report.after)
    rows = metric_rows(*arms)
    failures = [f"{arm.arm}: {arm.failure}" for arm in arms if arm is not None and arm.failure]
    if not rows and not failures:
        return
    yield f"<h2>{'What the run does' if only_one(report) else 'Before and after'}</h2>"
    told = "".join(f'<p class="stop">{text(failure)}</p>' for failure in failures)
    confidence = report.comparison.confidence
    kind = f"In brackets: {confidence:.0%} interval. " if confidence else ""
    legend = f'<p class="sub">{kind}Hatched: projected, not run. Solid: from a run.</p>'
    yield (
        f'<section class="card">{told}{metric_bars(report)}{legend if rows else ""}'
        f"{figure_table(rows, ('before', 'after')) if rows else ''}</section>"
    )
    yield _time(report)
    yield parity_section(report)
    memory = memory_bars(report)
    if memory:
        yield f'<h2>Where the memory goes</h2><section class="card">{memory}</section>'
    if rows and report.believe is not None:
        yield (
            "<h2>Why believe a projected figure</h2>"
            f'<section class="card"><p>{text(report.believe.text)}</p></section>'
        )


def _time(report: Report) -> str:
    changes = walk(report)
    if not changes:
        return ""
    saved = changes[0].length - changes[-1].length
    title = "Where the time of a step goes"
    if not only_one(report):
        title = f"Where {number(saved)} s per step went" if saved > 0 else "What changed in a step"
    order = (
        "Edits in the order applied. Another order splits the gain differently; the end is the "
        "same."
        if edit_by_edit(report)
        else "Seconds of one optimizer step; the parts add up to it."
    )
    return (
        f'<h2>{title} {badge(report.provenance, _anchored(report))}</h2><section class="card">'
        f'{time_bars(report)}<p class="sub">{order}</p></section>'
    )


def _leads(report: Report) -> Iterator[str]:
    """What research found, said to be unverified."""
    if not report.leads:
        return
    rows = "".join(
        f"<tr><td>{text(lead.change)}</td><td>{text(lead.evidence)}</td>"
        f"<td>{text(lead.expected or 'not stated')}</td>"
        f"<td>{text(lead.measured or 'not stated')}</td><td><code>{text(lead.source)}</code></td>"
        f"<td>{lead.confidence}</td></tr>"
        for lead in report.leads
    )
    head = "".join(
        f"<th>{name}</th>"
        for name in ("change", "evidence", "expected", "measured", "source", "confidence")
    )
    yield (
        '<h2>Unverified leads</h2><section class="card"><p>Found by reading, not checked by a '
        f"rule or a benchmark, and not in the patch.</p><table><tr>{head}</tr>{rows}</table>"
        "</section>"
    )


def _rest(report: Report) -> Iterator[str]:
    yield from _leads(report)
    if report.checked:
        items = "".join(f"<li>{text(check.title)}</li>" for check in report.checked)
        yield f"<h2>Checked and in order ({len(report.checked)})</h2>"
        yield f'<section class="card"><ul class="checked">{items}</ul></section>'
    if report.notices:
        items = "".join(
            f"<li>{f'line {notice.line}: ' if notice.line else ''}{text(notice.message)}</li>"
            for notice in report.notices
        )
        yield f'<h2>Notes on the file</h2><section class="card"><ul>{items}</ul></section>'
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lengths = report.lengths
    data = (
        f" Token lengths p50 {lengths.p50}, p95 {lengths.p95}, max {lengths.max} "
        f"({lengths.origin}: {text(lengths.source)})."
        if lengths
        else ""
    )
    yield (
        f"<footer>Read with {text(versions)} (versions {report.versions_origin}).{data} "
        "Made by GPU Goblin: advice with sources, not a warranty.</footer>"
    )
