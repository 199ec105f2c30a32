"""The curves of both measured runs in exported HTML, and the table that holds the same."""

from __future__ import annotations

from audit.export.html_elements import badge, text
from audit.export.parity import (
    HEIGHT,
    WIDTH,
    Curve,
    answer,
    curves,
    parity_of,
    step_text,
    steps_text,
)
from audit.records.comparison import Parity
from audit.records.report import Report


def parity_section(report: Report) -> str:
    """Heading and card; empty where no two runs were measured."""
    parity = parity_of(report)
    if parity is None:
        return ""
    provenance = report.comparison.provenance or report.provenance
    figures = "".join(_figure(curve, parity) for curve in curves(parity))
    held = (
        f" Shaded: the {parity.steps} steps held against each other."
        if parity.kind == "stepwise"
        else ""
    )
    return (
        f"<h2>Does it still train the same? {badge(provenance)}</h2>"
        f'<section class="card"><p><b>{text(answer(report))}</b> {text(parity.reason)}</p>'
        f'<div class="curves">{figures}</div>'
        f'<p class="sub">Before: the wide grey line. After: the thin blue line on it.{held}</p>'
        f"{_table(parity, provenance)}</section>"
    )


def _figure(curve: Curve, parity: Parity) -> str:
    held = f'<rect class="held" width="{curve.held:.1f}" height="{HEIGHT}"/>' if curve.held else ""
    return (
        f'<figure><figcaption class="head"><b>{curve.name}</b><span class="sub">'
        f"{text(curve.span)}, {steps_text(parity)}</span></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" height="{HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{text(curve.spoken)}">{held}'
        f'<polyline class="curve was" points="{curve.before}"/>'
        f'<polyline class="curve is" points="{curve.after}"/></svg></figure>'
    )


def _table(parity: Parity, provenance: str) -> str:
    def cells(metric: str, *values: float) -> str:
        return "".join(
            f'<td class="number" data-metric="{metric}" data-provenance="{provenance}">'
            f"{step_text(value)}</td>"
            for value in values
        )

    rows = "".join(
        f'<tr><th scope="row">{point.index}</th>'
        f"{cells('loss', point.loss_before, point.loss_after)}"
        f"{cells('grad_norm', point.grad_norm_before, point.grad_norm_after)}</tr>"
        for point in parity.points
    )
    heads = "".join(
        f'<th scope="col" class="number">{head}</th>'
        for head in ("loss before", "loss after", "norm before", "norm after")
    )
    return (
        "<details><summary>Every step as a table</summary>"
        f'<div class="scroll"><table><thead><tr><th scope="col">step</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )
