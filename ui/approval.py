"""Asks the owner on the page before runs that cost money, with what may be changed first.

The quote is the runner's; everybody with the link sees that the audit waits, and only its owner can
decide.
"""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

import gradio as gr

from agent.money.approvals import Decision
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


def lay_out_approval(*, rented: bool) -> Approval:
    """Hidden until an audit asks; machine and payer can be chosen where machines are rented."""
    with gr.Column(visible=False, elem_id="gg-approval", elem_classes=["gg-card"]) as box:
        told = gr.HTML(
            "", apply_default_css=False, js_on_load=None, elem_id="gg-offer", elem_classes=["gg"]
        )
        call = gr.State("")
        with gr.Row(elem_classes=["gg-terms"]):
            steps = gr.Number(label="Timed steps", precision=0, minimum=1, min_width=120)
            timeout = gr.Textbox(label="Time limit", placeholder="such as 30m", min_width=120)
            flavor = gr.Textbox(
                label="Machine", placeholder="the cheapest", min_width=120, visible=rented
            )
            namespace = gr.Textbox(
                label="Who pays", placeholder="you", min_width=120, visible=rented
            )
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
    cap = f" of ${required.cap_usd:g}" if required.cap_usd is not None else ""
    facts = (
        ("Price, at most", price),
        ("Time, at most", f"{max(1.0, required.seconds / 60):.0f} min"),
        ("Spent so far, model and runs", f"${required.spent_usd:.2f}{cap}"),
    )
    rows = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts)
    trouble, note = escape(_sentence(required.trouble)), escape(_sentence(required.note))
    return (
        '<div role="group" aria-label="Approval"><h2>May these runs cost money?</h2>'
        + (f'<p class="gg-trouble">{trouble}</p>' if trouble else "")
        + f'<dl class="gg-facts">{rows}</dl>'
        + (f"<p>{note}</p>" if note else "")
        + f'<p class="gg-sub">{ALONE} Changed terms are priced anew.</p></div>'
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


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
    # a field that was emptied is taken back: the runner chooses again
    changes = {
        name: None if value == "" else value
        for name, value in given.items()
        if value != offered[name]
    }
    return Decision(approved, str(feedback or ""), changes if approved else {})
