"""The small charts, one metric each: bars from zero, whiskers, hatched where nothing ran.

Every colour keeps 3:1 against both page grounds, so that a chart is drawn once for light and dark;
text colours come from the page's style sheet. The two larger charts share what stands here.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from audit.export.arms import Bar, bars_of, charted
from audit.records.base import Interval, Provenance
from audit.records.report import Report
from ui.figures import ends, spread

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


def base_layout(height: int, margin: dict[str, int], **more: Any) -> dict[str, Any]:
    """What all charts share: no template, no ground, no zoom, the page's font."""
    return {
        "template": {},
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


def drawn(traces: list[dict[str, Any]], layout: dict[str, Any]) -> go.Figure:
    """The figure of these traces and this layout, taken as they are.

    Plotly checks and copies every property it is given, 10 to 20 ms a figure, each time an edit is
    switched; `tests/ui/test_charts.py` has it check each kind of figure once instead.
    """
    return go.Figure({"data": traces, "layout": layout}, _validate=False)


def hatching(provenances: list[Provenance], colours: list[str]) -> dict[str, Any]:
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


def whiskers(intervals: list[Interval]) -> dict[str, Any]:
    """The ends of the intervals, drawn over the bars."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - interval.value for interval in intervals],
        "arrayminus": [interval.value - interval.low for interval in intervals],
        "thickness": 1.5,
        "width": 4,
        "color": "#808080",
    }


def value_axis(top: float, **more: Any) -> dict[str, Any]:
    """The horizontal axis: from zero to a little over `top`, not to be dragged."""
    return {
        "range": [0, top * 1.04],
        "fixedrange": True,
        "zeroline": True,
        "zerolinecolor": "#83888f",
        "zerolinewidth": 1.5,
        **more,
    }


def label_axis(labels: list[str]) -> dict[str, Any]:
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
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": labels,
        "x": [interval.value for interval in intervals],
        "error_x": whiskers(intervals),
        "width": 0.36,
        "marker": {
            "color": colours,
            "line": {"color": colours, "width": 1},
            "pattern": hatching([bar.provenance for bar in bars], colours),
        },
        "customdata": [
            [interval.low, interval.high, bar.provenance]
            for interval, bar in zip(intervals, bars, strict=True)
        ],
        "hovertemplate": "%{y}: %{x:,.4~g} (%{customdata[0]:,.4~g} to %{customdata[1]:,.4~g}), "
        "%{customdata[2]}<extra></extra>",
    }
    notes = []
    for bar in bars:
        value = spread(bar.interval)[0]
        above = {"yref": "y", "y": bar.label, "yshift": 19, "showarrow": False, "xref": "paper"}
        notes.append({**above, "x": 0, "xanchor": "left", "text": bar.label})
        notes.append(
            {**above, "x": 1, "xanchor": "right", "text": f"<b>{value}</b>{ends(bar.interval)}"}
        )
    top = max(interval.high for interval in intervals) or 1.0
    layout = base_layout(
        16 + 46 * len(bars),
        {"l": 2, "r": 6, "t": 10, "b": 2},
        xaxis=value_axis(top, showticklabels=False, showgrid=False),
        yaxis=label_axis(labels),
        annotations=notes,
    )
    return drawn([trace], layout)


def metric_charts(report: Report) -> dict[str, go.Figure]:
    """One figure per metric that the report has."""
    return {metric.name: metric_chart(bars_of(report, metric.name)) for metric in charted(report)}
