"""Why (not) to believe a projected number: the estimator's own error, and how to sharpen it."""

from __future__ import annotations

from html import escape

from audit.records.report import Believe, Report
from ui.figures import count, words
from ui.marks import shape


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%" if share < 0.1 else f"{share * 100:.0f}%"


def _bar(label: str, share: float) -> str:
    """One row of a small bar chart; the number is printed beside the bar."""
    width = max(0.0, min(share, 1.0)) * 100
    return (
        f'<div class="gg-share"><span>{escape(label)}</span>'
        f'<span class="gg-track" aria-hidden="true"><i style="width:{width:.0f}%"></i></span>'
        f"<b>{_percent(share)}</b></div>"
    )


FEW = 0.1
"""Share of AMD runs among the tested below which the page calls them few."""


def _amd_note(believe: Believe) -> str:
    """The weak spot, where there is one: few runs on AMD cards are published."""
    if believe.amd_runs >= FEW * believe.runs:
        return ""
    if believe.amd_runs == 0:
        said = "No AMD run was at hand: on AMD cards the error is not known."
    else:
        said = f"It was tested with {believe.amd_runs}"
        if believe.amd_median_error is not None:
            said += f", where the median error is {_percent(believe.amd_median_error)}"
        said += "."
    return (
        f'<p class="gg-note"><span class="gg-medium">{shape("medium")}</span>'
        f"<span><b>Few AMD runs are published.</b> {said}</span></p>"
    )


def error_card(believe: Believe) -> str:
    """How the estimator did on published runs that it had not seen."""
    return (
        '<div class="gg-card gg-pad">'
        f"<h3>Tested on {count(believe.runs, 'published run')} it had not seen</h3>"
        f'<p class="gg-sub">Median error {_percent(believe.median_error)}, mean '
        f"{_percent(believe.mean_error)}, of tokens per second.</p>"
        f"{_bar('predicted within 20%', believe.within_20)}"
        f"{_bar('inside its own interval', believe.interval_coverage)}{_amd_note(believe)}"
        f'<details class="gg-twin"><summary>How it was tested</summary>'
        f'<p class="gg-sub">{words(believe.text)}</p></details></div>'
    )


def _assumed(report: Report) -> list[tuple[str, str]]:
    """What the projection assumed, in order of worth: a title and what to do about it."""
    lines = []
    if report.hardware.origin == "assumed":
        lines.append(
            ("Name your GPU.", f"Assumed now: {report.hardware.gpus}x {report.hardware.name}.")
        )
    if report.lengths is None or report.lengths.origin == "assumed":
        known = report.lengths
        now = (
            f"Assumed now: half of the samples under {known.p50:,} tokens, 95% under {known.p95:,}."
            if known
            else "Padding and speed depend on them."
        )
        lines.append(("Give the lengths of your data.", now))
    if report.versions_origin == "assumed":
        read = ", ".join(
            f"{name} {version}"
            for name, version in report.versions.items()
            if name not in ("goblin", "kb", "estimator")
        )
        lines.append(("State your versions.", f"Assumed now: {read}." if read else ""))
    return lines


def sharper_card(report: Report) -> str:
    """What the user can state to make the next projection better."""
    lines = _assumed(report)
    sentences = "".join(
        f"<li>{words(text[:1].upper() + text[1:].rstrip('.'))}.</li>"
        for text in report.profile.assumptions
    )
    assumed = (
        f'<h4>What the projection assumed</h4><ul class="gg-assumed">{sentences}</ul>'
        if sentences
        else ""
    )
    if not lines and not assumed:
        lines = [("Nothing was assumed.", "Card, data lengths and versions are yours.")]
    items = "".join(
        f'<li><b>{escape(title)}</b> <span class="gg-muted">{escape(text)}</span></li>'
        for title, text in lines
    )
    return (
        f'<div class="gg-card gg-pad"><h3>Make it sharper</h3>'
        f'<p class="gg-sub">A projection is only as good as what it knows.</p>'
        f'<ul class="gg-sharper">{items}</ul>{assumed}</div>'
    )


def believe_part(report: Report) -> str:
    """The section; empty where the report states no projected figure."""
    if report.believe is None or report.before is None:
        return ""
    return (
        '<section class="gg-section" id="gg-believe"><header><h2>Why believe this number</h2>'
        "</header>"
        f'<div class="gg-columns">{error_card(report.believe)}'
        f"{sharper_card(report)}</div></section>"
    )
