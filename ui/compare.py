"""Two to four audits side by side: a chart per metric, a table, what differs, what may be said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape

from audit.export.arms import METRICS, Metric
from audit.records.base import Interval, Json
from audit.records.compared import Compared, ComparedAudit
from audit.records.comparison import Comparison
from ui.figures import ends, figure, marked, number, times, times_between, words
from ui.marks import provenance_badge, shape

MORE = (Metric("peak_memory_gb", "Peak memory", "GB", False),)
LETTERS = "ABCD"


def _card(audit: ComparedAudit) -> str:
    used = audit.hardware
    return f"{used.gpus * used.nodes}x {used.name}"


def _interval(audit: ComparedAudit, name: str) -> Interval | None:
    found: Interval | None = getattr(audit.metrics, name) if audit.metrics else None
    return found


def _bars(compared: Compared, metric: Metric) -> str:
    """One metric as bars from zero with whiskers; value and interval are printed above each."""
    shown = [(audit, _interval(audit, metric.name)) for audit in compared.audits]
    top = max((found.high for _, found in shown if found), default=0.0)
    if top <= 0:
        return ""
    bars = []
    for letter, (audit, found) in zip(LETTERS, shown, strict=False):
        label = f"{letter}, {escape(audit.hardware.name)}"
        if found is None or audit.metrics is None:
            bars.append(f'<div class="gg-one-bar"><p>{label}: no figure</p></div>')
            continue
        low, value, high = (100 * end / top for end in (found.low, found.value, found.high))
        kind = "gg-hatched" if audit.metrics.provenance == "projected" else ""
        value_text = figure(metric.name, found, audit.metrics.provenance)
        bars.append(
            f'<div class="gg-one-bar"><p><span>{label}</span><span>{value_text}{ends(found)}</span>'
            f'</p><div class="gg-track" aria-hidden="true"><i class="{kind}" '
            f'style="width:{value:.1f}%"></i><b style="left:{low:.1f}%;width:{high - low:.1f}%">'
            "</b></div></div>"
        )
    unit = f' <span class="gg-muted">{metric.unit}</span>' if metric.unit else ""
    return f"<div><h2>{metric.title}{unit}</h2>{''.join(bars)}</div>"


def _head(compared: Compared) -> str:
    cells = "".join(
        f'<th scope="col" class="gg-number"><b>{letter}</b> '
        f'<a class="gg-mono" href="./?audit={escape(audit.audit_id)}">'
        f"{escape(audit.workload_name)}</a><br>{escape(_card(audit))} "
        f"{provenance_badge(audit.provenance)}</th>"
        for letter, audit in zip(LETTERS, compared.audits, strict=False)
    )
    patched = {audit.arm for audit in compared.audits}
    what = "Patched file" if patched == {"patched"} else "Patched file, or as written"
    return f'<thead><tr><th scope="col">{what}</th>{cells}</tr></thead>'


def _metric_rows(compared: Compared) -> Iterator[str]:
    for metric in (*METRICS, *MORE):
        found = [_interval(audit, metric.name) for audit in compared.audits]
        if not any(found):
            continue
        kinds = {audit.metrics.memory_kind for audit in compared.audits if audit.metrics}
        kind = ""
        if metric.name == "peak_memory_gb" and len(kinds) == 1:
            kind = f' <span class="gg-muted">{next(iter(kinds)) or ""}</span>'
        cells = "".join(
            f'<td class="gg-number">'
            f"{figure(metric.name, one, audit.metrics.provenance)}<span>{ends(one)}</span></td>"
            if one and audit.metrics
            else '<td class="gg-number gg-muted">no figure</td>'
            for one, audit in zip(found, compared.audits, strict=True)
        )
        unit = f", {metric.unit}" if metric.unit else ""
        yield f'<tr><th scope="row">{metric.title}{unit}{kind}</th>{cells}</tr>'
    for title, counts in (
        ("Findings", [audit.findings for audit in compared.audits]),
        ("Edits", [audit.edits for audit in compared.audits]),
    ):
        cells = "".join(f'<td class="gg-number">{number_of}</td>' for number_of in counts)
        yield f'<tr><th scope="row">{title}</th>{cells}</tr>'


def _value(value: Json) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _broken(name: str) -> str:
    """A field's name that may be broken behind its underscores."""
    return escape(name).replace("_", "_<wbr>")


def _field_rows(compared: Compared) -> Iterator[str]:
    """Fields that differ, those that all files set first; sign and ground mark what is unlike A."""
    for row in sorted(compared.fields, key=lambda one: None in one.values):
        cells = ""
        for value in row.values:
            other = value != row.values[0]
            sign = '<span aria-hidden="true">≠ </span><span class="gg-sr">differs: </span>'
            cells += (
                f'<td class="gg-number{" gg-unlike" if other else ""}">{sign if other else ""}'
                f"<code>{escape(_value(value))}</code></td>"
            )
        yield f'<tr><th scope="row"><code>{_broken(row.field)}</code></th>{cells}</tr>'


def _verdict(compared: Compared, comparison: Comparison, letter: str) -> str:
    """What may be said of one audit against the first; a refusal says why."""
    if comparison.speedup is None:
        reason = comparison.reason.removeprefix("Not compared: ")
        said = f"<b>{letter} against A: no speed-up is computed.</b> {words(_upper(reason))}"
        return (
            f'<p class="gg-note" data-verdict="{comparison.verdict}"><span class="gg-medium">'
            f"{shape('medium')}</span><span>{said}</span></p>"
        )
    provenance = comparison.provenance or "projected"
    ratio = marked("speedup", times(comparison.speedup.value), provenance, "span")
    share = f"{comparison.confidence * 100:.0f}% interval" if comparison.confidence else ""
    word = {"faster": "faster", "slower": "slower", "no_difference": "no difference"}
    said = (
        f"<b>{letter} against A: {word.get(comparison.verdict, comparison.verdict)}.</b> {ratio} "
        f"the tokens per second ({times_between(comparison.speedup)}, {share}), {provenance}."
    )
    models = {
        str(value) for row in compared.fields if row.field == "model_id" for value in row.values
    }
    if len(models) > 1:
        said += " They train different models, so this is no gain from an edit."
    return (
        f'<p class="gg-note" data-verdict="{comparison.verdict}"><span class="gg-passed">'
        f"{shape('passed')}</span><span>{said}</span></p>"
    )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def compare_part(compared: Compared, address: str) -> str:
    """The whole page below the bar.

    Args:
        compared: two to four audits.
        address: of this comparison, for the copy button.
    """
    number_of = len(compared.audits)
    verdicts = "".join(
        _verdict(compared, comparison, letter)
        for letter, comparison in zip(LETTERS[1:], compared.comparisons, strict=False)
    )
    bars = "".join(_bars(compared, metric) for metric in (*METRICS[:2], *MORE))
    charts = (
        f'<div class="gg-card gg-pad gg-bars">{bars}</div><div class="gg-legend">'
        '<span><i class="gg-swatch gg-hatched"></i>hatched: projected, not run</span>'
        '<span><i class="gg-swatch"></i>solid: from a run</span><span><i class="gg-whisker"></i>'
        "interval: 80% if projected, 95% if measured</span></div>"
        if bars
        else ""
    )
    fields = "".join(_field_rows(compared))
    differ = (
        f'<tr class="gg-group"><th scope="rowgroup" colspan="{number_of + 1}">What differs in the '
        f"files, {number(len(compared.fields))} of their fields</th></tr>{fields}"
        if fields
        else f'<tr class="gg-group"><th scope="rowgroup" colspan="{number_of + 1}">No field of the '
        "files differs</th></tr>"
    )
    copy = (
        '<button type="button" class="gg-button gg-small gg-right" data-copy="gg-compared">'
        "<span>Copy link to this comparison</span></button>"
    )
    return (
        f'<div class="gg-compared" id="gg-compared" data-address="{escape(address)}">'
        f'<header class="gg-head gg-kb-head"><h1>Compare {number_of} audits</h1>{copy}</header>'
        f'<div class="gg-verdicts">{verdicts}</div>{charts}'
        '<div class="gg-card gg-scroll" tabindex="0" role="region" aria-label="Comparison">'
        f'<table class="gg-side">{_head(compared)}<tbody>{"".join(_metric_rows(compared))}</tbody>'
        f"<tbody>{differ}</tbody></table></div></div>"
    )


def nothing_part(reason: str) -> str:
    """Where there is nothing to compare: why, and the way on."""
    return (
        '<section class="gg-card gg-verdict"><div class="gg-head"><h1>Nothing to compare</h1></div>'
        f'<p class="gg-lede">{words(reason)}</p><div class="gg-actions">'
        '<a class="gg-button gg-primary" href="./history">Choose audits in your history</a></div>'
        "</section>"
    )


def asked_ids(query: dict[str, str]) -> Sequence[str]:
    """The ids in an address: `a=..&b=..`, or `ids=..,..`."""
    listed = [part for part in query.get("ids", "").split(",") if part]
    named = [query[name] for name in "abcd" if query.get(name)]
    return list(dict.fromkeys([*named, *listed]))[: len(LETTERS)]
