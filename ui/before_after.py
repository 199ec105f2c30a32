"""Words and table beside the charts: captions, headings and what a screen reader gets instead."""

from __future__ import annotations

from html import escape

from audit.export.arms import Bar, Metric, arm_labels, arms_of, bars_of, charted, only_one
from audit.export.parts import memory_shares, time_shares
from audit.export.step_walk import edit_by_edit, walk, what_is_left
from audit.records.report import Report
from ui.figures import change, ends, figure, marked, number, spread
from ui.verdict import badge_of


def heading(report: Report) -> str:
    """The heading of the section with its one badge."""
    if only_one(report):
        title, said = "What the run does", "Your file as it is."
        if any(edit.applied for edit in report.patch.edits):
            said = "One of the two runs gave no figures."
    else:
        applied = sum(edit.applied for edit in report.patch.edits)
        title = "Before and after"
        fixed = "" if report.starts_as_written else " with only what stops it fixed"
        noun = "edit" if applied == 1 else "edits"
        said = f"Your file{fixed}, against the same file with {applied} {noun}."
    return (
        f'<header class="gg-section-head"><h2>{title}</h2><p>{said}</p>'
        f'<span class="gg-right">{badge_of(report)}</span></header>'
    )


def spoken(metric: Metric, bars: tuple[Bar, ...]) -> str:
    """The chart in one sentence: its alternative text."""
    said = []
    for bar in bars:
        value = spread(bar.interval)[0] + ends(bar.interval)
        said.append(f"{bar.label} {value}, {bar.provenance}")
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.title}{unit}: " + "; ".join(said)


def caption(report: Report, metric: Metric) -> str:
    """Title and change of one small chart; carries the chart's alternative text."""
    bars = bars_of(report, metric.name)
    moved = ""
    if len(bars) == 2:
        amount, word = change(bars[0].interval.value, bars[1].interval.value)
        amount = marked(f"{metric.name}_change", amount, bars[1].provenance) + " " if amount else ""
        moved = f"<span>{amount}{word}</span>"
    unit = f' <span class="gg-muted">{metric.unit}</span>' if metric.unit else ""
    return (
        f'<div class="gg-caption" data-chart="{metric.name}" '
        f'data-alt="{escape(spoken(metric, bars))}">'
        f"<h3>{metric.title}{unit}</h3>{moved}</div>"
    )


def table(report: Report) -> str:
    """The figures of the charts as a table: the same content for those who cannot see them."""
    metrics = charted(report)
    if not metrics:
        return ""
    labels = [bar.label for bar in bars_of(report, metrics[0].name)]
    head = "".join(f'<th scope="col" class="gg-number">{label}</th>' for label in labels)
    rows = []
    for metric in metrics:
        cells = "".join(
            f'<td class="gg-number">{figure(metric.name, bar.interval, bar.provenance)} '
            f"<span>{ends(bar.interval)}</span></td>"
            for bar in bars_of(report, metric.name)
        )
        unit = f" ({metric.unit})" if metric.unit else ""
        rows.append(f'<tr><th scope="row">{metric.title}{unit}</th>{cells}</tr>')
    return (
        f'<div class="gg-legend">{legend(report)}</div>'
        f'<details class="gg-twin"><summary>Show as table</summary><div class="gg-scroll">'
        f'<table><thead><tr><th scope="col">Metric</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def legend(report: Report) -> str:
    """What hatching and whiskers mean, in words."""
    confidence = report.comparison.confidence
    share = f"{confidence * 100:.0f}% " if confidence else ""
    timed = {arm.samples for _, arm in arms_of(report) if arm.samples}
    steps = f", n = {' and '.join(map(str, sorted(timed)))} timed steps" if timed else ""
    bar = (
        '<span><i class="gg-swatch gg-hatched"></i>hatched: projected, not run</span>'
        if report.provenance == "projected"
        else '<span><i class="gg-swatch"></i>solid: from a run</span>'
    )
    return f'{bar}<span><i class="gg-whisker"></i>{share}interval{steps}</span>'


def _rows(shares: dict[str, list[float]], provenance: str, metric: str) -> str:
    rows = []
    for name, row in shares.items():
        cells = "".join(
            f'<td class="gg-number" data-metric="{metric}" data-provenance="{provenance}">'
            f"{number(share) if share else '0'}</td>"
            for share in row
        )
        swatch = '<i class="gg-swatch"></i>' if metric == "memory_part_gb" else ""
        rows.append(f'<tr><th scope="row">{swatch}{escape(name)}</th>{cells}</tr>')
    return "".join(rows)


def _part_table(report: Report, first: str, shares: dict[str, list[float]], metric: str) -> str:
    arms = arm_labels(report)[: len(next(iter(shares.values())))]
    head = "".join(f'<th scope="col" class="gg-number">{arm}</th>' for arm in arms)
    return (
        f'<div class="gg-scroll"><table class="gg-parts gg-{metric}"><thead><tr>'
        f'<th scope="col">{first}</th>'
        f"{head}</tr></thead><tbody>{_rows(shares, report.provenance, metric)}</tbody></table>"
        "</div>"
    )


def time_caption(report: Report) -> str:
    """Title of the time chart, with its alternative text."""
    changes = walk(report)
    if not changes:
        return ""
    alt = "Seconds of one step. " + "; ".join(f"{row.label} {row.text}" for row in changes)
    if only_one(report):
        title, said = (
            "Where the time of a step goes",
            "Seconds of one optimizer step, part by part.",
        )
    else:
        saved = changes[0].length - changes[-1].length
        figure_of = marked("step_saved_s", f"{number(saved)} s", changes[-1].provenance, "span")
        title = f"Where {figure_of} per step went" if saved > 0 else "What changed in a step"
        said = (
            "Edits in the order applied. Another order splits the gain differently; the end is "
            "the same."
            if edit_by_edit(report)
            else "Seconds of one optimizer step. The parts add up to it, whatever the order."
        )
    return (
        f'<div class="gg-caption gg-tall" data-chart="time" data-alt="{escape(alt)}">'
        f"<h3>{title}</h3><p>{said}</p></div>"
    )


def time_table(report: Report) -> str:
    """All parts of a step in seconds."""
    shares = time_shares(report)
    if not shares:
        return ""
    body = _part_table(report, "Part, s", shares, "time_part_s")
    left = what_is_left(report)
    note = (
        '<p class="gg-note"><span><b>What is left of a step:</b> '
        f"{marked('step_left_s', left, report.provenance, 'span')}.</span></p>"
        if left
        else ""
    )
    return f'{note}<details class="gg-twin"><summary>Parts as table</summary>{body}</details>'


def memory_caption(report: Report) -> str:
    """Title of the memory chart, with its alternative text."""
    shares = memory_shares(report)
    if not shares:
        return ""
    arm = report.after or report.before
    kind = f" {arm.memory_kind}" if arm and arm.memory_kind else ""
    said = "; ".join(
        f"{name} " + " then ".join(f"{number(share)} GB" for share in row)
        for name, row in shares.items()
    )
    return (
        '<div class="gg-caption gg-tall" data-chart="memory" '
        f'data-alt="{escape(f"Peak memory. {said}")}">'
        f"<h3>Where the memory goes</h3><p>Peak GB{kind} per GPU; the parts from left to "
        "right as listed.</p></div>"
    )


def memory_table(report: Report) -> str:
    """The parts of the memory peak; it is the legend of the chart as well."""
    shares = memory_shares(report)
    if not shares:
        return ""
    return _part_table(report, "Part, GB", shares, "memory_part_gb")
