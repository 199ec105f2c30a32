"""The roofline: where a run stands under its card's two limits, as chart, words and table."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import plotly.graph_objects as go

from agent.finished.roofline import Point
from ui.charts import AFTER, BEFORE, GRID, base_layout, drawn
from ui.figures import between, marked, number, spread

ROOM = 6.0
"""Factor of free room left and right of what is drawn."""


def roofline_chart(points: tuple[Point, ...]) -> go.Figure | None:
    """Both axes logarithmic; hollow marks where nothing ran, whiskers for the interval."""
    if not points:
        return None
    roofs = {point.dtype: point for point in points}
    ridge = max(point.peak_tflops / point.bandwidth_tb_s for point in points)
    left = min([ridge, *(point.intensity for point in points)]) / ROOM
    right = max([ridge, *(point.intensity for point in points)]) * ROOM
    slope = min(point.bandwidth_tb_s for point in points)
    low = min([left * slope / 2.5, *(point.tflops.low / 2 for point in points)])
    high = max(point.peak_tflops for point in points) * 2.5
    upper = max(points, key=lambda point: point.tflops.value)
    layout = base_layout(
        330,
        {"l": 54, "r": 12, "t": 12, "b": 44},
        xaxis=_axis(left, right, "operations per byte of memory traffic"),
        yaxis=_axis(low, high, "TFLOP/s per GPU"),
        annotations=[
            *_limits(roofs, left, right),
            *(_name(point, math.sqrt(left * right), above=point is upper) for point in points),
        ],
    )
    traces = [_roof(point, left, right) for point in roofs.values()]
    return drawn([*traces, *map(_mark, points)], layout)


def roofline_caption(points: tuple[Point, ...]) -> str:
    """Title and what the picture says, with the chart's alternative text."""
    if not points:
        return ""
    alt = f"Roofline. {'; '.join(_said(point) for point in points)}."
    shares = ", ".join(
        f"{point.label} {marked('roof_share', _share(point), point.provenance, 'span')}"
        for point in points
    )
    return (
        f'<div class="gg-caption gg-tall" data-chart="roofline" data-alt="{escape(alt)}">'
        "<h3>How close to the card’s limits</h3><p>Work executed per second, recomputation "
        "included, under the peak and the bandwidth that the card’s maker states. "
        f"Share of the limit at each one’s mix: {shares}; the {points[-1].bound} is the limit "
        f"{'there' if len(points) == 1 else 'after'}.</p></div>"
    )


def roofline_table(points: tuple[Point, ...]) -> str:
    """The same as a table."""
    if not points:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{point.label}</th>'
        f'<td class="gg-number">{number(point.intensity)}</td>'
        f'<td class="gg-number">{marked("tflops", spread(point.tflops)[0], point.provenance)} '
        f"<span>({between(point.tflops)})</span></td>"
        f'<td class="gg-number">{number(point.roof)}</td>'
        f'<td class="gg-number">{marked("roof_share", _share(point), point.provenance)}</td>'
        f"<td>{point.bound}</td></tr>"
        for point in points
    )
    heads = "".join(
        f'<th scope="col" class="gg-number">{head}</th>'
        for head in ("Operations per byte", "TFLOP/s per GPU", "Limit there", "Share of it")
    )
    counted = (
        "Operations and bytes are counted by the estimator; hollow marks: the time of the step is "
        "projected."
        if points[-1].provenance == "projected"
        else "Operations and bytes are counted by the estimator; the time of the step is of a run."
    )
    return (
        f'<div class="gg-legend"><span>{counted}</span></div>'
        '<details class="gg-twin"><summary>Show as table</summary><div class="gg-scroll"><table>'
        f'<thead><tr><th scope="col">File</th>{heads}<th scope="col">Limited by</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _said(point: Point) -> str:
    return (
        f"{point.label}: {spread(point.tflops)[0]} TFLOP/s per GPU ({between(point.tflops)}), "
        f"{point.provenance}, at {number(point.intensity)} operations per byte, {_share(point)} of "
        f"the {number(point.roof)} that the {point.bound} allows"
    )


def _share(point: Point) -> str:
    return f"{point.tflops.value / point.roof:.0%}"


def _roof(point: Point, left: float, right: float) -> dict[str, Any]:
    ridge = point.peak_tflops / point.bandwidth_tb_s
    xs = [left, ridge, right]
    return {
        "type": "scatter",
        "x": xs,
        "y": [min(point.peak_tflops, x * point.bandwidth_tb_s) for x in xs],
        "mode": "lines",
        "line": {"color": "#83888f", "width": 2},
        "name": f"limit, {point.dtype}",
        "hoverinfo": "skip",
    }


def _mark(point: Point) -> dict[str, Any]:
    colour = BEFORE if point.label == "before" else AFTER
    shape = "circle" if point.label == "before" else "diamond"
    hollow = "-open" if point.provenance == "projected" else ""
    return {
        "type": "scatter",
        "x": [point.intensity],
        "y": [point.tflops.value],
        "mode": "markers",
        "name": point.label,
        "marker": {"symbol": shape + hollow, "size": 13, "color": colour, "line": {"width": 2.5}},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [point.tflops.high - point.tflops.value],
            "arrayminus": [point.tflops.value - point.tflops.low],
            "thickness": 1.5,
            "width": 5,
            "color": "#808080",
        },
        "customdata": [[point.tflops.low, point.tflops.high, point.provenance]],
        "hovertemplate": "%{fullData.name}: %{y:.3~g} TFLOP/s (%{customdata[0]:.3~g} to "
        "%{customdata[1]:.3~g}), %{customdata[2]}<extra></extra>",
    }


def _axis(low: float, high: float, title: str) -> dict[str, Any]:
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "title": {"text": title, "font": {"size": 12.5}},
        "gridcolor": GRID,
        "fixedrange": True,
        "dtick": 1,
        "exponentformat": "none",
        "zeroline": False,
    }


def _limits(roofs: dict[str, Point], left: float, right: float) -> list[dict[str, Any]]:
    """The limits by name: peaks at the right end, the bandwidth in the corner under its slope."""
    notes: list[dict[str, Any]] = [
        {
            "x": math.log10(right),
            "y": math.log10(point.peak_tflops),
            "xanchor": "right",
            "yanchor": "bottom",
            "showarrow": False,
            "text": f"{number(point.peak_tflops)} TFLOP/s, {dtype} peak",
        }
        for dtype, point in roofs.items()
    ]
    some = next(iter(roofs.values()))
    notes.append(
        {
            "x": 0,
            "y": 0,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "left",
            "yanchor": "bottom",
            "xshift": 4,
            "yshift": 2,
            "showarrow": False,
            "text": f"slope: {number(some.bandwidth_tb_s)} TB/s, memory",
        }
    )
    return notes


def _name(point: Point, middle: float, *, above: bool) -> dict[str, Any]:
    """Label, value and interval beside a mark: on the side where there is room.

    The upper mark's stands above its middle and the lower one's below, so that two marks that lie
    close never print over each other.
    """
    right = point.intensity > middle
    return {
        "x": math.log10(point.intensity),
        "y": math.log10(point.tflops.value),
        "xanchor": "right" if right else "left",
        "xshift": -12 if right else 12,
        "yanchor": "bottom" if above else "top",
        "showarrow": False,
        "align": "right" if right else "left",
        "text": f"{point.label}<br><b>{spread(point.tflops)[0]}</b> ({between(point.tflops)})",
    }
