"""Asks the owner on the page before runs that cost money, with what may be changed first.

The quote is the runner's; everybody with the link sees that the audit waits, and only its owner can
decide.
"""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

import gradio as gr

from agent.approvals import Decision
from audit.records.events import ApprovalRequiredData
from audit.records.terms import Terms

ALONE = "Before and after are approved as one: one without the other proves nothing."


class Approval(NamedTuple):
    """Its components."""

    box: Any
    told: Any
    call: Any
    """Id of the offer that is shown."""
    steps: Any
    timeout: Any
    flavor: Any
    namespace: Any
    feedback: Any
    approve: Any
    decline: Any

    @property
    def given(self) -> list[Any]:
        """What the owner decides with, in the order of `decision_of`."""
        return [
            self.call, self.steps, self.timeout, self.flavor, self.namespace, self.feedback,
        ]  # fmt: skip


def lay_out_approval() -> Approval:
    """Hidden until an audit asks."""
    with gr.Column(visible=False, elem_id="gg-approval", elem_classes=["gg-card"]) as box:
        told = gr.HTML(
            "", apply_default_css=False, js_on_load=None, elem_id="gg-offer", elem_classes=["gg"]
        )
        call = gr.State("")
        with gr.Row():
            steps = gr.Number(label="Timed steps per arm", precision=0, minimum=1, min_width=120)
            timeout = gr.Textbox(
                label="Time limit", placeholder="the runner’s own", info="30m, 1.5h", min_width=120
            )
            flavor = gr.Textbox(label="Machine", placeholder="the runner’s choice", min_width=120)
            namespace = gr.Textbox(label="Who pays", placeholder="you", min_width=120)
        feedback = gr.Textbox(label="Why not, or what else to mind (optional)", max_lines=2)
        with gr.Row():
            approve = gr.Button("Start these runs", variant="primary", elem_id="gg-approve")
            decline = gr.Button("Decline", elem_id="gg-decline")
    return Approval(
        box, told, call, steps, timeout, flavor, namespace, feedback, approve, decline
    )  # fmt: skip


def offer_shown(
    approval: Approval, required: ApprovalRequiredData | None, *, owner: bool
) -> dict[Any, Any]:
    """The question as this visitor may answer it now; hidden where nothing waits."""
    if required is None or not owner:
        return {approval.box: gr.update(visible=False)}
    terms = required.terms
    return {
        approval.box: gr.update(visible=True),
        approval.told: offer_text(required),
        approval.call: required.call_id,
        approval.steps: terms.steps,
        approval.timeout: f"{terms.timeout_s:g}s" if terms.timeout_s else "",
        approval.flavor: terms.flavor or "",
        approval.namespace: terms.namespace or "",
        approval.feedback: "",
    }


def offer_text(required: ApprovalRequiredData) -> str:
    """What it costs, what was spent, and why a standing yes does not cover it."""
    price = "not known" if required.usd is None else f"${required.usd:.2f}"
    trouble = f'<p class="gg-high">{escape(required.trouble)}.</p>' if required.trouble else ""
    return (
        '<div role="group" aria-label="Approval"><h2>May these runs cost money?</h2>'
        f"<p><b>Price {price}</b>, about {required.seconds / 60:.1f} min; spent so far "
        f"${required.spent_usd:.2f} for model and runs.</p>{trouble}"
        f'<p class="gg-sub">{ALONE} Changed terms are priced anew.</p></div>'
    )


def decision_of(
    approved: bool,
    terms: Terms,
    steps: object,
    timeout: object,
    flavor: object,
    namespace: object,
    feedback: object,
) -> Decision:
    """The decision with what the owner changed of the offered terms."""
    offered: dict[str, object] = {
        "steps": terms.steps,
        "timeout_s": f"{terms.timeout_s:g}s" if terms.timeout_s else "",
        "flavor": terms.flavor or "",
        "namespace": terms.namespace or "",
    }
    given = {
        "steps": int(steps) if isinstance(steps, int | float) else steps,
        "timeout_s": str(timeout or "").strip(),
        "flavor": str(flavor or "").strip(),
        "namespace": str(namespace or "").strip(),
    }
    changes = {name: value for name, value in given.items() if value != offered[name]}
    return Decision(approved, str(feedback or ""), changes if approved else {})
