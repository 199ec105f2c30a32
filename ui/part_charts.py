"""The two larger charts: where the time of a step went, and where the memory goes."""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from audit.export.arms import arm_labels, arms_of
from audit.export.parts import memory_shares
from audit.export.step_walk import walk
from audit.records.base import Provenance
from audit.records.report import Report
from ui.charts import (
    AFTER,
    BEFORE,
    CRITICAL,
    GRID,
    PARTS,
    base_layout,
    drawn,
    hatching,
    label_axis,
    value_axis,
    whiskers,
)
from ui.figures import ends, number, spread

WRAP = 46
"""Characters of a label that fit above a bar on a phone."""
ROW, LINE = 28, 16
"""Pixels of a row without its label, and of each line of a label."""


def _above(labels: list[str], lines: int) -> list[dict[str, Any]]:
    """Labels as notes above their bars: a name beside the bar would take the bar's room."""
    return [
        {
            "x": 0,
            "y": label,
            "xref": "paper",
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 8,
            "align": "left",
            "showarrow": False,
            "text": "<br>".join(wrap(escape(label), WRAP)[:lines]),
        }
        for label in labels
    ]


def time_chart(report: Report) -> go.Figure | None:
    """Where the time of one step went: from before over each change to after."""
    changes = walk(report)
    if not changes:
        return None
    labels = [change.label for change in changes]
    lines = 2 if max(map(len, labels)) > WRAP else 1
    colours = [BEFORE if change.kind == "before" else AFTER for change in changes]
    row = ROW + LINE * lines
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": labels,
        "base": [change.start for change in changes],
        "x": [change.length for change in changes],
        "width": 16 / row,
        "marker": {
            "color": colours,
            "line": {"color": colours, "width": 1},
            "pattern": hatching([change.provenance for change in changes], colours),
        },
        "text": [change.text for change in changes],
        "textposition": "outside",
        "textangle": 0,
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }
    top = max(change.start + change.length for change in changes)
    layout = base_layout(
        row * len(changes) + 30 + LINE * (lines - 1),
        {"l": 4, "r": 64, "t": 8, "b": 22},
        xaxis=value_axis(top, ticksuffix=" s", nticks=5, gridcolor=GRID),
        yaxis=label_axis(labels),
        annotations=_above(labels, lines),
    )
    return drawn([trace], layout)


def _memory_bar(
    place: int, name: str, rows: list[float], arms: list[str], provenance: list[Provenance]
) -> dict[str, Any]:
    colour = PARTS[place % len(PARTS)]
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": arms,
        "x": list(rows),
        "width": 0.5,
        "marker": {
            "color": colour,
            "line": {"color": colour, "width": 1},
            "pattern": hatching(provenance, [colour] * len(rows)),
        },
        "hovertemplate": f"{name}, %{{y}}: %{{x:.3~g}} GB<extra></extra>",
    }


def memory_chart(report: Report) -> go.Figure | None:
    """The parts of the memory peak side by side on one axis, against the card's capacity."""
    shares = memory_shares(report)
    if not shares:
        return None
    arms = list(arm_labels(report))[: len(next(iter(shares.values())))]
    named = arms_of(report)
    provenance: list[Provenance] = [arm.provenance for _, arm in named][: len(arms)]
    traces = [
        _memory_bar(place, name, rows, arms, provenance)
        for place, (name, rows) in enumerate(shares.items())
    ]
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
        traces.append(
            {
                "type": "scatter",
                "x": [peak.value],
                "y": [label],
                "mode": "markers",
                "marker": {"size": 1, "color": "#808080"},
                "error_x": whiskers([peak]),
                "hoverinfo": "skip",
                "name": f"{label} interval",
            }
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
    layout = base_layout(
        50 + 62 * len(arms),
        {"l": 4, "r": 8, "t": 22, "b": 28},
        xaxis=value_axis(top, showticklabels=True, nticks=5, gridcolor=GRID),
        yaxis=label_axis(arms),
        annotations=notes,
        shapes=shapes,
    )
    return drawn(traces, layout | {"barmode": "stack"})
