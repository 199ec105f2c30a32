"""Plotly charts of a report: one metric each, bars from zero, whiskers for the interval.

Hatched bars were not run. Every colour keeps 3:1 against both page grounds, so a figure is drawn
once for light and dark; text colours come from the page's style sheet.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from audit.records.base import Interval, Provenance
from audit.records.report import Report
from ui.arms import Bar, arm_labels, arms_of, bars_of, charted
from ui.figures import ends, number, spread
from ui.parts import Share, memory_shares, time_changes

BEFORE, AFTER = "#83888f", "#1b86c9"
PARTS = (
    "#1b86c9",
    "#b97a00",
    "#0b9b73",
    "#c76f9f",
    "#83888f",
    "#7d6fd0",
    "#c45c3c",
    "#5f8f2f",
    "#3f9aa8",
)
"""Okabe-Ito hues at a lightness both grounds allow; order and label carry meaning too."""
CRITICAL = "#d5483d"
GRID = "rgba(128,128,128,.25)"
FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
CONFIG = {"displayModeBar": False, "responsive": True}


def _layout(height: int, margin: dict[str, int], **more: Any) -> dict[str, Any]:
    """What all charts share: no template, no ground, no zoom, the page's font."""
    return {
        "template": None,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12.5, "color": "#808080"},
        "height": height,
        "margin": margin,
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "barmode": "overlay",
        "autosize": True,
        **more,
    }


def _pattern(provenances: list[Provenance], colours: list[str]) -> dict[str, Any]:
    """Hatching for what was not run; solid otherwise."""
    return {
        "shape": ["/" if provenance == "projected" else "" for provenance in provenances],
        "fillmode": "replace",
        "fgcolor": colours,
        "bgcolor": [f"rgba({','.join(map(str, _channels(colour)))},.28)" for colour in colours],
        "size": 6,
        "solidity": 0.42,
    }


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _whiskers(intervals: list[Interval]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - interval.value for interval in intervals],
        "arrayminus": [interval.value - interval.low for interval in intervals],
        "thickness": 1.5,
        "width": 4,
        "color": "#808080",
    }


def _axis(top: float, **more: Any) -> dict[str, Any]:
    return {
        "range": [0, top * 1.04],
        "fixedrange": True,
        "zeroline": True,
        "zerolinecolor": "#83888f",
        "zerolinewidth": 1.5,
        **more,
    }


def _names(labels: list[str]) -> dict[str, Any]:
    """The vertical axis: first label on top, no text of its own (it stands above the bar)."""
    return {
        "categoryorder": "array",
        "categoryarray": labels[::-1],
        "showticklabels": False,
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
    }


def metric_chart(bars: tuple[Bar, ...]) -> go.Figure:
    """Before and after of one metric; label, value and interval are printed above each bar."""
    labels = [bar.label for bar in bars]
    colours = [BEFORE if bar.label == "before" else AFTER for bar in bars]
    intervals = [bar.interval for bar in bars]
    trace = go.Bar(
        orientation="h",
        y=labels,
        x=[interval.value for interval in intervals],
        error_x=_whiskers(intervals),
        width=0.36,
        marker={
            "color": colours,
            "line": {"color": colours, "width": 1},
            "pattern": _pattern([bar.provenance for bar in bars], colours),
        },
        customdata=[
            [interval.low, interval.high, bar.provenance]
            for interval, bar in zip(intervals, bars, strict=True)
        ],
        hovertemplate="%{y}: %{x:,.4~g} (%{customdata[0]:,.4~g} to %{customdata[1]:,.4~g}), "
        "%{customdata[2]}<extra></extra>",
    )
    notes = []
    for bar in bars:
        value = spread(bar.interval)[0]
        above = {"yref": "y", "y": bar.label, "yshift": 19, "showarrow": False, "xref": "paper"}
        notes.append({**above, "x": 0, "xanchor": "left", "text": bar.label})
        notes.append(
            {**above, "x": 1, "xanchor": "right", "text": f"<b>{value}</b>{ends(bar.interval)}"}
        )
    top = max(interval.high for interval in intervals) or 1.0
    figure = go.Figure(trace)
    figure.update_layout(
        **_layout(16 + 46 * len(bars), {"l": 2, "r": 6, "t": 10, "b": 2}),
        xaxis=_axis(top, showticklabels=False, showgrid=False),
        yaxis=_names(labels),
        annotations=notes,
    )
    return figure


def metric_charts(report: Report) -> dict[str, go.Figure]:
    """One figure per metric that the report has."""
    return {metric.name: metric_chart(bars_of(report, metric.name)) for metric in charted(report)}


def time_chart(report: Report) -> go.Figure | None:
    """Where the time of one step went: the parts that changed between before and after."""
    changes = time_changes(report)
    if not changes:
        return None
    labels = [change.label for change in changes]
    colours = [BEFORE if change.kind == "before" else AFTER for change in changes]
    provenances = [change.provenance for change in changes]
    top = max(change.start + change.length for change in changes)
    trace = go.Bar(
        orientation="h",
        y=labels,
        base=[change.start for change in changes],
        x=[change.length for change in changes],
        width=0.62,
        marker={
            "color": colours,
            "line": {"color": colours, "width": 1},
            "pattern": _pattern(provenances, colours),
        },
        text=[change.text for change in changes],
        textposition="outside",
        textangle=0,
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure = go.Figure(trace)
    figure.update_layout(
        **_layout(34 + 30 * len(changes), {"l": 4, "r": 64, "t": 4, "b": 26}),
        xaxis=_axis(top, ticksuffix=" s", nticks=5, gridcolor=GRID),
        yaxis={**_names(labels), "showticklabels": True, "automargin": True},
    )
    return figure


def _memory_bar(
    place: int, name: str, rows: list[Share], arms: list[str], provenance: list[Provenance]
) -> go.Bar:
    colour = PARTS[place % len(PARTS)]
    return go.Bar(
        orientation="h",
        name=name,
        y=arms,
        x=[row.value for row in rows],
        width=0.5,
        marker={
            "color": colour,
            "line": {"color": colour, "width": 1},
            "pattern": _pattern(provenance, [colour] * len(rows)),
        },
        hovertemplate=f"{name}, %{{y}}: %{{x:.3~g}} GB<extra></extra>",
    )


def memory_chart(report: Report) -> go.Figure | None:
    """The parts of the memory peak side by side on one axis, against the card's capacity."""
    shares = memory_shares(report)
    if not shares:
        return None
    arms = list(arm_labels(report))[: len(next(iter(shares.values())))]
    named = arms_of(report)
    provenance: list[Provenance] = [arm.provenance for _, arm in named][: len(arms)]
    figure = go.Figure(
        [
            _memory_bar(place, name, rows, arms, provenance)
            for place, (name, rows) in enumerate(shares.items())
        ]
    )
    peaks = [arm.peak_memory_gb for _, arm in named][: len(arms)]
    capacity = report.hardware.memory_gb
    top = max([peak.high for peak in peaks if peak] + [capacity or 0.0])
    notes = []
    for label, peak in zip(arms, peaks, strict=False):
        if peak is None:
            continue
        value = spread(peak)[0]
        notes.append(
            {
                "x": 0,
                "y": label,
                "xref": "paper",
                "xanchor": "left",
                "yshift": 24,
                "showarrow": False,
                "text": f"{label}: <b>{value} GB</b>{ends(peak)}",
            }
        )
        figure.add_trace(
            go.Scatter(
                x=[peak.value],
                y=[label],
                mode="markers",
                marker={"size": 1, "color": "#808080"},
                error_x=_whiskers([peak]),
                hoverinfo="skip",
                name=f"{label} interval",
            )
        )
    shapes = []
    if capacity:
        shapes.append(
            {
                "type": "line",
                "x0": capacity,
                "x1": capacity,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": CRITICAL, "width": 2, "dash": "dash"},
            }
        )
        notes.append(
            {
                "x": capacity,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "xanchor": "right" if top <= capacity * 1.05 else "center",
                "text": f"<b>{number(capacity)} GB on the card</b>",
            }
        )
    layout = _layout(50 + 62 * len(arms), {"l": 4, "r": 8, "t": 22, "b": 28})
    layout["barmode"] = "stack"
    figure.update_layout(
        **layout,
        xaxis=_axis(top, showticklabels=True, nticks=5, gridcolor=GRID),
        yaxis=_names(arms),
        annotations=notes,
        shapes=shapes,
    )
    return figure
