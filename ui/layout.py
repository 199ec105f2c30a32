"""Lays out the page: which components there are, in what order, with which first values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from agent.settings import Settings
from audit.export.arms import METRICS
from ui import frame
from ui.approval import Approval, lay_out_approval
from ui.form_layout import Form, lay_out_form
from ui.paint import NONE, PLOTS, TEXTS, Values
from ui.second_round import SecondRound, lay_out_second_round

SWITCHES, WHAT_IF, ASK, CHARTS = (
    Path(__file__).with_name(name) for name in ("switches.js", "what_if.js", "ask.js", "charts.js")
)


ABOUT_LINK = (
    "Anyone with the link can read it. Only this browser can switch its edits, cancel it or fetch "
    "the patched file."
)
DOWNLOADS = {
    "patch": "Patch",
    "report": "Report (JSON)",
    "html": "Report (HTML)",
    "markdown": "Markdown",
    "patched": "Patched file",
}
"""Kind -> label of the buttons under the patch."""


@dataclass(frozen=True)
class Page:
    """The components that events read and write."""

    parts: dict[str, Any]
    """HTML and plots by part name (`ui.paint`)."""
    form: Form
    samples: dict[str, Any]
    """Sample buttons by file name."""
    cancel: Any
    again: Any
    """Offered to the owner of an audit that was cancelled or interrupted."""
    link: Any
    download: dict[str, Any]
    """Buttons by the kinds of DOWNLOADS."""
    second: SecondRound
    approval: Approval
    file: Any
    """Carries a file to the browser."""
    audit_id: Any
    held: Any
    """Files read in this session, by path."""
    owned: Any
    """Owner tokens by audit id: in, all of this browser's; out, those to add."""
    choice: Any
    """The choice of edits that the page shows, as `off` and `on`."""


def _part(name: str, values: Values, script: str | None = None) -> Any:
    return gr.HTML(
        values.get(name, NONE),
        apply_default_css=False,
        js_on_load=script,
        elem_id=f"gg-part-{name}",
        elem_classes=["gg"],
    )


def _plot(name: str, values: Values) -> Any:
    """A chart; not there until `_chart` is asked for it."""
    return gr.Plot(
        values.get(name),
        show_label=False,
        container=False,
        visible=False,
        elem_id=f"gg-{name.replace('_', '-', 1)}",
        elem_classes=["gg-plot"],
    )


def _first_view(
    settings: Settings, names: tuple[str, ...], parts: dict[str, Any]
) -> tuple[Form, dict[str, Any]]:
    with gr.Row(elem_id="gg-hero"):
        with gr.Column(min_width=300):
            gr.HTML(
                frame.first_words(), apply_default_css=False, js_on_load=None, elem_classes=["gg"]
            )
            with gr.Row(elem_id="gg-samples"):
                samples = {
                    name: gr.Button(name, size="sm", min_width=0, elem_classes=["gg-sample"])
                    for name in names
                }
        with gr.Column(min_width=300):
            form = lay_out_form(settings)
            parts["trouble"] = _part("trouble", {})
    return form, samples


class _Handover(NamedTuple):
    link: Any
    download: dict[str, Any]
    second: SecondRound


def _handover(parts: dict[str, Any], values: Values) -> _Handover:
    """The column beside the findings: patch, commands, link, downloads."""
    parts["patch"] = _part("patch", values)
    parts["run_it"] = _part("run_it", values)
    with gr.Column(elem_id="gg-share", elem_classes=["gg-card"]):
        link = gr.Textbox(
            label="Link to this report",
            info=ABOUT_LINK,
            interactive=False,
            max_lines=1,
            buttons=["copy"],
            elem_id="gg-link",
            elem_classes=["gg-typed"],
        )
        with gr.Row(elem_id="gg-downloads"):
            download = {
                kind: gr.Button(
                    label,
                    size="sm",
                    min_width=0,
                    visible=kind != "patched"
                    and (kind != "patch" or values.get("patch", NONE) != NONE),
                    elem_id=f"gg-download-{kind}",
                )
                for kind, label in DOWNLOADS.items()
            }
    return _Handover(link, download, lay_out_second_round())


def _chart(name: str, parts: dict[str, Any], values: Values) -> None:
    """Caption and chart; when the reader is near the caption, its script asks for the chart."""
    caption = _part(f"caption_{name}", values, CHARTS.read_text())
    parts[f"caption_{name}"], parts[f"chart_{name}"] = caption, _plot(f"chart_{name}", values)


def _charted(name: str, parts: dict[str, Any], values: Values) -> None:
    """A card of its own with caption, chart and table."""
    with gr.Column(elem_classes=["gg-slot", "gg-card"], min_width=300):
        _chart(name, parts, values)
        parts[f"table_{name}"] = _part(f"table_{name}", values)


def _charts(parts: dict[str, Any], values: Values) -> None:
    with gr.Column(elem_id="gg-arms", elem_classes=["gg-card"]):
        with gr.Row(elem_id="gg-metrics"):
            for metric in METRICS:
                with gr.Column(elem_classes=["gg-slot"], min_width=210):
                    _chart(metric.name, parts, values)
        parts["arms_table"] = _part("arms_table", values)
    with gr.Row(elem_id="gg-where-it-goes"):
        for name in ("time", "memory"):
            _charted(name, parts, values)
    _charted("roofline", parts, values)


def _report(parts: dict[str, Any], values: Values) -> _Handover:
    with gr.Column(elem_id="gg-report"):
        parts["verdict"] = _part("verdict", values)
        parts["checked_first"] = _part("checked_first", values)
        parts["findings_heading"] = _part("findings_heading", values)
        with gr.Row(elem_id="gg-what"):
            with gr.Column(scale=7, min_width=300, elem_id="gg-findings-column"):
                parts["findings"] = _part("findings", values, SWITCHES.read_text())
            with gr.Column(scale=5, min_width=300):
                handover = _handover(parts, values)
        parts["arms_heading"] = _part("arms_heading", values)
        _charts(parts, values)
        parts["parity"] = _part("parity", values)
        parts["what_if"] = _part("what_if", values, WHAT_IF.read_text())
        parts["what_if_rows"] = _part("what_if_rows", values)
        for name in ("leads", "believe", "checked"):
            parts[name] = _part(name, values)
        parts["ask"] = _part("ask", values, ASK.read_text())
        for name in ("answer", "reproduce", "stages"):
            parts[name] = _part(name, values)
    return handover


def lay_out(settings: Settings, names: tuple[str, ...], first: Values, version: str) -> Page:
    """Build all components inside the Blocks that is open now.

    Args:
        settings: where this runs and with which card.
        names: the samples.
        first: values of the parts at first paint: a finished audit of a sample.
        version: shown in the footer.
    """
    parts: dict[str, Any] = {}
    gr.HTML(
        frame.top_bar(frame.host_note(settings)),
        apply_default_css=False,
        js_on_load=None,
        elem_id="gg-bar",
        elem_classes=["gg"],
    )
    parts["view"] = _part("view", first)
    parts["status"] = _part("status", first)
    form, samples = _first_view(settings, names, parts)
    with gr.Row(elem_id="gg-run-top"):
        parts["run_head"] = _part("run_head", first)
        cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id="gg-cancel")
        again = gr.Button("Run again", variant="primary", visible=False, elem_id="gg-again")
    approval = lay_out_approval(rented=settings.default_runner != "local")
    parts["run_body"] = _part("run_body", first)
    if "verdict" in first:
        gr.HTML(
            frame.sample_words(),
            apply_default_css=False,
            js_on_load=None,
            elem_id="gg-sample-words",
            elem_classes=["gg"],
        )
    handover = _report(parts, first)
    gr.HTML(
        frame.footer(version, settings.keep_days),
        apply_default_css=False,
        js_on_load=None,
        elem_id="gg-end",
        elem_classes=["gg"],
    )
    missing = {*TEXTS, *PLOTS} - set(parts)
    if missing:
        message = f"parts without a place on the page: {sorted(missing)}"
        raise AssertionError(message)
    return Page(
        parts=parts,
        form=form,
        samples=samples,
        cancel=cancel,
        again=again,
        link=handover.link,
        download=handover.download,
        second=handover.second,
        approval=approval,
        file=gr.JSON(visible=False),
        audit_id=gr.State(""),
        held=gr.State({}),
        owned=gr.JSON(visible=False),
        choice=gr.JSON(visible=False),
    )
