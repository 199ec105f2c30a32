"""Lays out the form: file or text, card and count, data lengths and versions, the run button."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

import gradio as gr

from agent.available import Offer, offers
from agent.card import card_of
from agent.named import REMOTE_RUNNERS, RUNNERS, make
from agent.request import DEFAULT_HARDWARE
from agent.settings import Settings
from audit.records.spec import Spec
from kb.catalog.hardware import Hardware, all_hardware, find_hardware
from runner.estimator.lengths import ASSUMED as ASSUMED_LENGTHS
from ui.verdict import FORMATS
from ui.what_if_form import short_name

BACKEND_NAMES = {
    "rules": "The rules (no model, no key)",
    "claude": "Claude",
    "huggingface": "Hugging Face",
    "openai": "OpenAI-compatible server",
}
OWN_ACCOUNT = "huggingface"
OWN_QUOTA = "Signed in, a model of Hugging Face works on your own account's inference quota."
RUNNER_NAMES = {
    "fake": "Project, nothing runs",
    "local": "Measure on this machine",
    "hf_jobs": "Measure on a rented machine",
}
MEASURING = {
    "local": "Measuring takes minutes, on the GPU or CPU that is here.",
    "hf_jobs": "Hugging Face Jobs rents the card that you name, after your yes. It lists no AMD "
    "card (2026-11): measure those on your own box.",
}
"""What is to be known before a runner is chosen."""
ASSUMED = ""
"""Value of the dropdown's first choice: no card was named."""


class Form(NamedTuple):
    """The form's controls."""

    inputs: dict[str, Any]
    """What the visitor fills in, by the names of `ui.form.Filled`; `files` for its paths."""
    run: Any
    upload_tab: Any
    paste_tab: Any


def card_label(card: Hardware) -> str:
    """`AMD Instinct MI300X, 192 GB`."""
    room = f"{card.memory_gb:g} GB" if card.memory_gb else ""
    told = room.replace(" ", "") in card.name.replace(" ", "")
    return card.name if told else f"{card.name}, {room}"


def _hardware_choices(settings: Settings) -> tuple[list[tuple[str, str]], str]:
    cards = [(card_label(card), card.id) for card in all_hardware()]
    if settings.hardware:
        return cards, settings.hardware
    found = card_of(None, settings)
    here = found.name or DEFAULT_HARDWARE
    named = next((label for label, name in cards if name == here), here)
    first = f"{named} ({'detected' if found.detected else 'assumed'})"
    if settings.default_runner == "local":
        first = f"This machine ({short_name(find_hardware(here).name)} where projected)"
    elif settings.default_runner in REMOTE_RUNNERS:
        first = f"Name a card to rent ({short_name(find_hardware(here).name)} where projected)"
    return [(first, ASSUMED), *cards], ASSUMED


def lay_out_form(settings: Settings) -> Form:
    """The card with drop zone or text, card, count, run button, lengths and versions."""
    form: dict[str, Any] = {"pasting": gr.State(False)}
    with gr.Column(elem_id="gg-form", elem_classes=["gg-card"], min_width=300):
        with gr.Tabs(elem_id="gg-source"):
            with gr.Tab("Upload", id="upload") as upload_tab:
                form["files"] = gr.File(
                    label="Your training file",
                    file_count="multiple",
                    height=132,
                    elem_id="gg-files",
                )
                gr.HTML(
                    '<p class="gg-hint">YAML, JSON, a Python script or a notebook. Several '
                    "files, or a zip, are read together; a .jsonl sample of your data gives its "
                    "lengths. Up to 1 MB each, a notebook 5 MB.</p>",
                    apply_default_css=False,
                    js_on_load=None,
                    elem_classes=["gg"],
                )
            with gr.Tab("Paste", id="paste") as paste_tab:
                form["pasted"] = gr.Textbox(
                    label="The text of your training file",
                    lines=8,
                    max_lines=14,
                    elem_id="gg-pasted",
                    elem_classes=["gg-typed"],
                )
        choices, chosen = _hardware_choices(settings)
        with gr.Row(elem_id="gg-where"):
            form["hardware"] = gr.Dropdown(
                choices, value=chosen, label="GPU", scale=4, min_width=180, elem_id="gg-hardware"
            )
            form["gpus"] = gr.Number(
                1,
                label="How many",
                precision=0,
                minimum=1,
                scale=1,
                min_width=84,
                elem_id="gg-gpus",
            )
        if len(settings.runners) > 1:
            form["runner"] = _runner(settings)
        if is_billable(settings):
            form["max_usd"] = gr.Textbox(
                label="Spend at most, in dollars",
                info="Model and runs together. You are asked before anything is billed.",
                placeholder="no cap",
                max_lines=1,
                elem_id="gg-max-usd",
            )
        run = gr.Button("Audit my file", variant="primary", elem_id="gg-run")
        gr.HTML(
            f'<p class="gg-hint" id="gg-quote">{quote_text(settings)}</p>',
            apply_default_css=False,
            js_on_load=None,
            elem_classes=["gg"],
        )
        with gr.Accordion("Data lengths and versions (optional)", open=False, elem_id="gg-more"):
            gr.Markdown(
                "Tokens per sample, for speed and padding. Left empty, the grey ones are assumed.",
                elem_classes=["gg-hint"],
            )
            with gr.Row():
                for name, label, usual in (
                    ("p50", "Half under", ASSUMED_LENGTHS.p50),
                    ("p95", "95% under", ASSUMED_LENGTHS.p95),
                    ("longest", "Longest", ASSUMED_LENGTHS.max),
                ):
                    form[name] = _typed_number(name, label, str(usual), min_width=90)
            with gr.Row():
                form["versions"] = gr.Textbox(
                    label="Versions",
                    placeholder="transformers=4.57, trl=0.24",
                    scale=3,
                    min_width=180,
                    max_lines=1,
                    elem_id="gg-versions",
                )
                form["nodes"] = gr.Number(
                    1,
                    label="Nodes",
                    precision=0,
                    minimum=1,
                    scale=1,
                    min_width=84,
                    elem_id="gg-nodes",
                )
            with gr.Row(elem_classes="gg-row"):
                form["dialect"] = gr.Dropdown(
                    [("its content says", ""), *((text, name) for name, text in FORMATS.items())],
                    value="",
                    label="Read the file as what",
                    scale=3,
                    min_width=160,
                    elem_id="gg-dialect",
                )
                form["trainer"] = _typed_number("trainer", "Training run", "first")
            form["backend"] = _backend(settings)
            if settings.sign_in:
                gr.LoginButton(
                    "Sign in with Hugging Face", "Sign out ({})", size="sm", elem_id="gg-sign-in"
                )
    return Form(form, run, upload_tab, paste_tab)


def _typed_number(name: str, label: str, hint: str, min_width: int = 84) -> Any:
    """A number that may be left empty: `gr.Number` would show 0 where nothing is stated."""
    return gr.Textbox(
        label=label,
        placeholder=hint,
        max_lines=1,
        max_length=20,
        scale=1,
        min_width=min_width,
        elem_id=f"gg-{name}",
    )


def _runner(settings: Settings) -> Any:
    """Whether this machine measures; there only where its operator enabled that."""
    return gr.Radio(
        [(RUNNER_NAMES.get(name, name), name) for name in reversed(settings.runners)],
        value=settings.default_runner,
        label="Before and after",
        info=MEASURING.get(settings.default_runner),
        elem_id="gg-runner",
    )


def is_billable(settings: Settings) -> bool:
    """Whether the operator's runner costs money; making it to ask it could start a worker."""
    name = settings.default_runner
    if name == "local":
        return settings.usd_per_gpu_hour is not None
    return make("runner", name, RUNNERS).capabilities().billable is True


def quote_text(settings: Settings) -> str:
    """What an audit costs, in the words of the runner itself; a billable one asks first."""
    if is_billable(settings):
        return "A run is quoted in time and money first, and waits for your yes."
    if settings.default_runner == "local":  # its exact quote would start the worker
        return "Measured on this machine: it takes minutes of its GPU or CPU."
    runner = make("runner", settings.default_runner, RUNNERS)
    quote = runner.quote(Spec(arms=(), hardware=DEFAULT_HARDWARE))
    cost = "Costs nothing" if not quote.usd else f"Costs about ${quote.usd:.2f}"
    return escape(f"{cost}: {quote.note}." if quote.note else f"{cost}.")


def _backend(settings: Settings) -> Any:
    """Who decides what the audit does next; a backend that cannot work here says why."""
    found = [
        Offer(one.name) if settings.sign_in and one.name == OWN_ACCOUNT else one
        for one in offers(settings.models)
    ]
    usable = [(BACKEND_NAMES[one.name], one.name) for one in found if not one.missing]
    known = {name for _, name in usable}
    chosen = settings.backend if settings.backend in known else "rules"
    absent = "; ".join(f"{BACKEND_NAMES[one.name]}: {one.missing}" for one in found if one.missing)
    return gr.Dropdown(
        usable,
        value=chosen,
        label="Who decides the next step",
        info=" ".join(
            [OWN_QUOTA] * settings.sign_in + [f"Not available here: {absent}."] * bool(absent)
        )
        or None,
        elem_id="gg-backend",
    )
