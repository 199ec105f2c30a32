"""The charts of exported HTML as inline SVG: bars from zero, whiskers, hatched where nothing ran.

Places are percentages of the width, so nothing is distorted and no text is scaled; label, value and
interval stand beside each bar as text, and a table holds the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from audit.export.arms import METRICS, arm_labels, arms_of, bars_of
from audit.export.html_elements import badge, text
from audit.export.numbers import ends, number, spread
from audit.export.parts import memory_shares
from audit.export.step_walk import walk
from audit.records.base import Interval, Provenance
from audit.records.report import Report

BAR = 14
"""Height of a bar in pixels."""
COLOURS = ("before", "after", *(f"p{place}" for place in range(9)))


def patterns() -> str:
    """The hatchings, once per file: dashed and hatched always mean that nothing ran."""
    made = "".join(
        f'<pattern id="h-{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="6" height="6" style="fill:var(--{name})" '
        f'opacity=".3"/><rect width="2.5" height="6" style="fill:var(--{name})"/></pattern>'
        for name in COLOURS
    )
    return f'<svg width="0" height="0" aria-hidden="true"><defs>{made}</defs></svg>'


def metric_bars(report: Report) -> str:
    """Before and after, one group of bars per metric."""
    groups = []
    for metric in METRICS:
        bars = bars_of(report, metric.name)
        top = max((bar.interval.high for bar in bars), default=0.0)
        unit = f" {metric.unit}" if metric.unit else ""
        rows = [
            _bar(
                f"{metric.title}, {bar.label}",
                f"<b>{text(spread(bar.interval)[0] + unit)}</b>{text(ends(bar.interval))}",
                _rect(
                    0,
                    bar.interval.value,
                    top,
                    "before" if bar.label == "before" else "after",
                    bar.provenance,
                )
                + _whisker(bar.interval, top),
            )
            for bar in bars
        ]
        groups.append("".join(rows))
    return _grid(groups)


def time_bars(report: Report) -> str:
    """From the step before over each change to the step after; empty where no step is known."""
    changes = walk(report)
    top = max((change.start + change.length for change in changes), default=0.0)
    rows = [
        _bar(
            change.label,
            f"<b>{text(change.text)}</b>",
            _rect(
                change.start,
                change.length,
                top,
                "before" if change.kind == "before" else "after",
                change.provenance,
            ),
        )
        for change in changes
    ]
    return _grid(["".join(rows)])


def memory_bars(report: Report) -> str:
    """The parts of the memory peak side by side, against the card's capacity; and their table."""
    shares = memory_shares(report)
    if not shares:
        return ""
    arms = arms_of(report)[: len(next(iter(shares.values())))]
    capacity = report.hardware.memory_gb
    peaks = [arm.peak_memory_gb for _, arm in arms]
    top = max([peak.high for peak in peaks if peak] + [capacity or 0.0])
    rows = []
    for place, label in enumerate(arm_labels(report)[: len(arms)]):
        peak, provenance = peaks[place], arms[place][1].provenance
        inside, start = "", 0.0
        for colour, row in enumerate(shares.values()):
            inside += _rect(start, row[place], top, f"p{colour % 9}", provenance)
            start += row[place]
        said = ""
        if peak:
            inside += _whisker(peak, top)
            said = f"<b>{text(spread(peak)[0])} GB</b>{text(ends(peak))}"
        if capacity:
            at = _percent(capacity, top)
            inside += f'<line class="capacity" x1="{at}" x2="{at}" y1="-3" y2="{BAR + 3}"/>'
        rows.append(_bar(f"Peak memory, {label}", said, inside))
    of_card = f" Dashed line: {number(capacity)} GB on the card." if capacity else ""
    note = f'<p class="sub">Parts from left to right as listed.{of_card}</p>'
    return _grid(["".join(rows)]) + note + _memory_table(report, arm_labels(report))


def _memory_table(report: Report, labels: Sequence[str]) -> str:
    shares = memory_shares(report)
    heads = "".join(
        f'<th scope="col" class="number">{label}, GB</th>'
        for label in labels[: len(next(iter(shares.values())))]
    )
    body = "".join(
        f'<tr><th scope="row"><span class="swatch" style="background:var(--p{place % 9})"></span>'
        f"{text(name)}</th>"
        + "".join(
            f'<td class="number" data-metric="memory_part_gb" '
            f'data-provenance="{report.provenance}">'
            f"{number(share) if share else '0'}</td>"
            for share in row
        )
        + "</tr>"
        for place, (name, row) in enumerate(shares.items())
    )
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">part</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def interval_bars(
    title: str, rows: Iterable[tuple[str, Interval, Provenance]], unit: str = ""
) -> str:
    """One metric of several audits on one axis."""
    kept = list(rows)
    top = max((interval.high for _, interval, _ in kept), default=0.0)
    bars = [
        _bar(
            label,
            f"<b>{text(spread(interval)[0] + unit)}</b>{text(ends(interval))} {badge(provenance)}",
            _rect(0, interval.value, top, "after", provenance) + _whisker(interval, top),
        )
        for label, interval, provenance in kept
    ]
    return f"<h3>{text(title)}</h3>{_grid([''.join(bars)])}" if bars else ""


def _grid(groups: Iterable[str]) -> str:
    return "".join(f'<div class="bars">{group}</div>' for group in groups if group)


def _bar(label: str, said: str, inside: str) -> str:
    """One bar under its label; the words carry the figure, so the drawing is hidden from readers.

    `said` is HTML already.
    """
    return (
        f'<div class="bar"><div class="head"><span>{text(label)}</span><span>{said}</span></div>'
        f'<svg height="{BAR}" aria-hidden="true"><rect class="rail" width="100%" height="{BAR}" '
        f'rx="2"/>{inside}</svg></div>'
    )


def _rect(start: float, length: float, top: float, colour: str, provenance: Provenance) -> str:
    fill = f"url(#h-{colour})" if provenance == "projected" else f"var(--{colour})"
    return (
        f'<rect x="{_percent(start, top)}" width="{_percent(length, top)}" height="{BAR}" '
        f'style="fill:{escape(fill)};stroke:var(--{colour})"/>'
    )


def _whisker(interval: Interval, top: float) -> str:
    low, high, middle = _percent(interval.low, top), _percent(interval.high, top), BAR / 2
    ticks = "".join(
        f'<line class="whisker" x1="{at}" x2="{at}" y1="{middle - 4}" y2="{middle + 4}"/>'
        for at in (low, high)
    )
    line = f'<line class="whisker" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
    return line + ticks


def _percent(value: float, top: float) -> str:
    return f"{100 * value / top:.2f}%" if top > 0 else "0%"
