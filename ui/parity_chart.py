"""Whether both measured runs train the same: the answer, two curves of both arms, their table."""

from __future__ import annotations

from html import escape

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
from ui.verdict import badge_of


def parity_part(report: Report) -> str:
    """The section; empty where no two runs were measured."""
    parity = parity_of(report)
    if parity is None:
        return ""
    figures = "".join(_figure(curve, parity) for curve in curves(parity))
    return (
        '<section class="gg-section" id="gg-parity"><header class="gg-section-head">'
        "<h2>Does it still train the same?</h2>"
        f'<p>{answer(report)}</p><span class="gg-right">{badge_of(report)}</span></header>'
        f'<div class="gg-card gg-pad"><div class="gg-curves">{figures}</div>{_legend(parity)}'
        f'<p class="gg-sub">{escape(parity.reason)}</p>{_table(report, parity)}</div></section>'
    )


def _figure(curve: Curve, parity: Parity) -> str:
    held = (
        f'<rect class="gg-held" width="{curve.held:.1f}" height="{HEIGHT}"/>' if curve.held else ""
    )
    return (
        f'<figure data-chart="parity"><figcaption><b>{curve.name}</b>'
        f"<span>{curve.span}, {steps_text(parity)}</span></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(curve.spoken)}">{held}'
        f'<path class="gg-zero" d="M0 {HEIGHT}H{WIDTH}"/>'
        f'<g class="gg-arm-baseline"><polyline points="{curve.before}"/></g>'
        f'<g class="gg-arm-patched"><polyline points="{curve.after}"/></g></svg></figure>'
    )


def _legend(parity: Parity) -> str:
    held = (
        f'<span><i class="gg-swatch gg-held-swatch"></i>the {parity.steps} steps held against '
        "each other</span>"
        if parity.kind == "stepwise"
        else ""
    )
    return (
        '<div class="gg-legend"><span><i class="gg-swatch gg-before-swatch"></i>before, the wide '
        'line</span><span><i class="gg-swatch"></i>after, the thin line on it</span>'
        f"{held}</div>"
    )


def _table(report: Report, parity: Parity) -> str:
    provenance = report.comparison.provenance or report.provenance

    def cell(metric: str, value: float) -> str:
        return (
            f'<td class="gg-number" data-metric="{metric}" data-provenance="{provenance}">'
            f"{step_text(value)}</td>"
        )

    rows = "".join(
        f'<tr><th scope="row">{point.index}</th>{cell("loss", point.loss_before)}'
        f"{cell('loss', point.loss_after)}{cell('grad_norm', point.grad_norm_before)}"
        f"{cell('grad_norm', point.grad_norm_after)}</tr>"
        for point in parity.points
    )
    heads = "".join(
        f'<th scope="col" class="gg-number">{head}</th>'
        for head in ("Loss before", "Loss after", "Norm before", "Norm after")
    )
    return (
        '<details class="gg-twin"><summary>Show as table</summary><div class="gg-scroll" '
        'tabindex="0" role="region" aria-label="Loss and gradient norm, step by step"><table>'
        f'<thead><tr><th scope="col">Step</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        "</div></details>"
    )
