"""The findings as cards: severity, expected effect, evidence line, why, the edit and its source."""

from __future__ import annotations

from html import escape

from audit.export.figures import effect_interval
from audit.export.standing import WORDS, Placed, place_findings
from audit.records.base import Interval
from audit.records.finding import Effect, Evidence, Finding
from audit.records.patch import Edit
from audit.records.report import Report
from ui.entry_parts import rule_link
from ui.figures import times, times_between, value_text, words
from ui.marks import semantics_chip, severity_mark, source_link
from ui.switches import Switches, switch, switch_marks, switched_note

SCALE = 3.0
"""Ratio at the right end of the small interval mark."""
MARK_WIDTH = 54.0


def interval_of(effect: Effect) -> Interval | None:
    """The effect on speed or memory as an interval; None where no figure is known."""
    return effect_interval(effect) if effect.metric in ("speed", "memory") else None


def _place(ratio: float) -> float:
    """Where a ratio of 0 to `SCALE` falls on the mark, in its pixels."""
    return round(max(0.0, min(ratio, SCALE)) / SCALE * MARK_WIDTH, 1)


def interval_mark(interval: Interval) -> str:
    """A small picture of the interval against 1 (no effect); the numbers stand beside it."""
    one = _place(1.0)
    low, value, high = _place(interval.low), _place(interval.value), _place(interval.high)
    return (
        f'<svg class="gg-interval" viewBox="0 0 {MARK_WIDTH:.0f} 14" width="{MARK_WIDTH:.0f}" '
        'height="14" aria-hidden="true">'
        f'<path class="gg-rail" d="M0 7H{MARK_WIDTH:.0f}"/><path class="gg-one" d="M{one} 1v12"/>'
        f'<path class="gg-spread" d="M{low} 7H{max(high, low + 1)}"/>'
        f'<path class="gg-value" d="M{value} 2v10"/></svg>'
    )


def effect_text(effect: Effect) -> str:
    """The expected effect as HTML: projected by our estimator, or published by the source."""
    if effect.metric == "starts":
        return "<b>The run starts</b>"
    interval = interval_of(effect)
    if interval is None:
        words = {"quality": "Training quality", "memory": "Less memory", "speed": "Speed"}
        what = words.get(effect.metric)
        return escape(f"{what}, no figure" if what else "No figure")
    basis = "projected" if effect.basis == "derived" else "published"
    attribute = ' data-provenance="projected"' if effect.basis == "derived" else ""
    what = "speed" if effect.metric == "speed" else "memory"
    mark = interval_mark(interval) if effect.metric == "speed" else ""
    ends = f" ({times_between(interval)})" if interval.low < interval.high else ""
    return (
        f'{mark}<span data-metric="effect_{what}"{attribute}><b>{times(interval.value)}</b>'
        f" {what}{ends}, {basis}</span>"
    )


def evidence_line(evidence: Evidence) -> str:
    """`file:line` and the user's own line."""
    place = ""
    if evidence.file:
        place = f'<span class="gg-wide">{escape(evidence.file)}</span>'
        if evidence.line is not None:
            place += (
                f'<span class="gg-wide" aria-hidden="true">:</span>'
                f'<span class="gg-narrow">line </span>{evidence.line}'
            )
    place = f'<span class="gg-place">{place}</span>' if place else ""
    return f'<div class="gg-evidence">{place}<code>{escape(evidence.text.strip())}</code></div>'


def edit_text(edit: Edit) -> str:
    """`field: before → after`, and why it is not in the patch where it is not."""
    change = (
        f"<code>{escape(edit.field)}: {escape(value_text(edit.before))}"
        f'<span aria-hidden="true"> → </span><span class="gg-sr"> becomes </span>'
        f"<b>{escape(value_text(edit.after))}</b></code>"
    )
    if edit.applied:
        return f"<li><span>Edit</span> {change}</li>"
    told = ". ".join(_upper(part).rstrip(".") for part in (edit.reason, edit.advice) if part)
    note = f" <span>{words(told)}.</span>" if told else ""
    word = "Offered" if edit.semantics == "dynamics" else "Not made"
    return f"<li><span>{word}</span> {change}{note}</li>"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cure(placed: Placed) -> str:
    """The edits of a finding, or its advice in words."""
    edits = "".join(edit_text(edit) for edit in placed.edits)
    cure = f'<ul class="gg-edits" aria-label="Edits">{edits}</ul>' if edits else ""
    if placed.finding.advice:
        cure += f'<p class="gg-advice"><b>What to do:</b> {words(placed.finding.advice)}</p>'
    return cure


def _more(finding: Finding) -> str:
    """What is worth knowing but not worth five lines: source's statement, caveats, how to check."""
    lines = []
    if finding.effect.text:
        lines.append(f"<dt>Effect</dt><dd>{words(finding.effect.text)}</dd>")
    if finding.caveats:
        caveats = "".join(f"<li>{words(caveat)}</li>" for caveat in finding.caveats)
        lines.append(f"<dt>But note</dt><dd><ul>{caveats}</ul></dd>")
    if finding.verify:
        lines.append(f"<dt>Check it yourself</dt><dd>{words(finding.verify)}</dd>")
    if len(finding.sources) > 1:
        links = "".join(f"<li>{source_link(source)}</li>" for source in finding.sources[1:])
        lines.append(f"<dt>More sources</dt><dd><ul>{links}</ul></dd>")
    if not lines:
        return ""
    return (
        f'<details class="gg-more"><summary>Caveats and how to check'
        f'<span class="gg-sr"> {escape(finding.title)}</span></summary>'
        f"<dl>{''.join(lines)}</dl></details>"
    )


def finding_card(placed: Placed, switches: Switches | None = None) -> str:
    """One finding: severity, chip, effect, standing; title; evidence; why; edits; source."""
    finding = placed.finding
    out = placed.standing in ("offered", "left_out")
    mark = severity_mark("offered" if placed.group == "offered" else finding.severity)
    source = (
        f"<span>Source: {source_link(finding.sources[0])}</span>"
        if finding.sources
        else "<span></span>"
    )
    chip = semantics_chip(finding.semantics) if finding.edits else ""
    standing = (
        f'<span class="gg-standing">{WORDS[placed.standing]}</span>'
        if switches is None or not finding.edits
        else switch(placed, switches)
    )
    return (
        f'<article class="gg-finding{" gg-out" if out else ""}" data-finding="{escape(finding.id)}"'
        f' data-rule="{escape(finding.rule_id)}" data-standing="{placed.standing}">'
        f'<div class="gg-row">{mark}{chip}<span class="gg-effect">'
        f"{effect_text(finding.effect)}</span>"
        f"{standing}</div>"
        f"<h3>{escape(finding.title)}</h3>{evidence_line(finding.evidence)}"
        f"<p>{words(finding.why)}</p>{_cure(placed)}"
        f'<div class="gg-source">{source}{rule_link(finding.rule_id)}</div>'
        f"{_more(finding)}</article>"
    )


def findings_heading(report: Report, switches: Switches | None = None, note: str = "") -> str:
    """The heading over findings and patch; empty where there is nothing to fix.

    Args:
        report: the audit, perhaps rebuilt for another choice of edits.
        switches: None: nobody here can switch edits.
        note: what else to say.
    """
    if not report.findings:
        return ""
    choice = bool(switches and switches.choice)
    title = "Findings and your patch" if report.patch.diff or choice else "Findings"
    offered = any(not edit.applied and edit.semantics == "dynamics" for edit in report.patch.edits)
    stacked = any(finding.effect.scope == "in_patch" for finding in report.findings)
    said = "Each gain stands on top of the edits before it. " if stacked else ""
    if switches is not None and report.patch.edits:
        said = f"Switch an edit off or on: the patch and every figure follow. {said}"
    if offered:
        said += "Edits that change what the model learns are offered, never applied by themselves."
    said = f"<p>{said.strip()} {escape(note)}</p>" if said or note else ""
    mine = switched_note(report, switches) if switches is not None else ""
    return f'<header class="gg-section-head"><h2>{title}</h2>{said}</header>{mine}'


def findings_part(report: Report, switches: Switches | None = None) -> str:
    """All findings of a report, most severe first, as the runner of the rules sorted them."""
    placed = place_findings(report)
    if not placed:
        return ""
    cards = "".join(finding_card(item, switches) for item in placed)
    marks = switch_marks(switches) if switches is not None else ""
    return f'<div class="gg-card gg-findings"{marks}>{cards}</div>'


def found_line(finding: Finding) -> str:
    """A finding in two lines: what is shown while the audit still runs."""
    effect = interval_of(finding.effect)
    gain = f"<b>{times(effect.value)}</b>" if effect and finding.effect.metric == "speed" else ""
    line = f"line {finding.evidence.line}" if finding.evidence.line is not None else ""
    basis = "projected" if finding.effect.basis == "derived" else "published"
    said = ", ".join(part for part in (f"{gain} {basis}" if gain else "", line) if part)
    return (
        f'<li class="gg-found" data-finding="{escape(finding.id)}"><div class="gg-row">'
        f'{severity_mark(finding.severity)}<span class="gg-right gg-muted gg-small-text">'
        f"{said}</span></div>"
        f"<h3>{escape(finding.title)}</h3></li>"
    )


def found_so_far(findings: tuple[Finding, ...], *, ended: bool = False) -> str:
    """The list beside the timeline of a running audit."""
    if not findings:
        said = (
            "Nothing was found before it ended."
            if ended
            else "Nothing yet. Findings appear here as the rules fire."
        )
        body = f'<p class="gg-empty">{said}</p>'
    else:
        body = f"<ul>{''.join(found_line(finding) for finding in findings)}</ul>"
    return (
        f'<section class="gg-card gg-found-list"><header class="gg-bar"><h2>Found so far</h2>'
        f'<span class="gg-right gg-muted">{len(findings) or "none"}</span>'
        f"</header>{body}</section>"
    )
