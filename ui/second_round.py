"""A second round on the page: fields to keep, findings to leave out, and the audit once more.

Shown to the owner of a finished audit. Unlike a switched edit it is an audit of its own, with its
own link and figures; it takes over what the first one read and found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from agent.finished.rebuild import followed
from audit.records.report import Report

TOLD = (
    "Runs the audit again from the patch on, under a new link; what was read and found is taken "
    "over. What you keep or leave out here, the new patch respects, and so does what depends on it."
)
MAX_LABEL = 70


class SecondRound(NamedTuple):
    """Its components."""

    box: Any
    keep: Any
    leave_out: Any
    run: Any


def lay_out_second_round() -> SecondRound:
    """Hidden until its audit has ended."""
    with gr.Accordion(
        "Try again with your own wishes", open=False, visible=False, elem_id="gg-second"
    ) as box:
        gr.Markdown(TOLD, elem_classes=["gg-hint"])
        keep = gr.Dropdown(
            [], multiselect=True, label="Keep these fields as they are", elem_id="gg-second-keep"
        )
        leave_out = gr.Dropdown(
            [], multiselect=True, label="Leave these edits out", elem_id="gg-second-leave-out"
        )
        run = gr.Button("Try again", size="sm", min_width=0, elem_id="gg-second-run")
    return SecondRound(box, keep, leave_out, run)


def offered(second: SecondRound, report: Report | None, *, owner: bool) -> dict[Any, Any]:
    """The control as this visitor may use it now, with what the patch touches to choose from."""
    if report is None or not owner or not followed(report):
        return {second.box: gr.update(visible=False)}
    fields = [edit.field for edit in report.patch.edits if edit.applied]
    rules = [
        (finding.title[:MAX_LABEL], finding.rule_id)
        for finding in report.findings
        if finding.rule_id in followed(report)
    ]
    return {
        second.box: gr.update(visible=True, open=False),
        second.keep: gr.update(choices=list(dict.fromkeys(fields)), value=[]),
        second.leave_out: gr.update(choices=rules, value=[]),
    }
