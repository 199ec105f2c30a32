"""The what-if form: which cards, how many, how long the samples and the run. Own HTML, own labels.

`ui/what_if.js` sends what stands in it whenever a field is left; `ui.what_if_rows` answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from agent.finished.what_if import CARDS
from audit.records.report import Report
from kb.catalog.hardware import Hardware, all_hardware
from runner.estimator.lengths import ASSUMED
from ui.marks import provenance_badge

USUAL = (
    "mi300x", "mi325x", "mi355x", "rx-7900-xtx", "h100-sxm", "h200", "b200", "a100-80gb", "l40s",
    "rtx-4090", "rtx-5090",
)  # fmt: skip
"""Shown at once; the others behind a fold."""
MAKERS = ("AMD Instinct ", "AMD Radeon ", "AMD ", "NVIDIA GeForce ", "NVIDIA ")


def short_name(name: str) -> str:
    """`NVIDIA GeForce RTX 4090` -> `RTX 4090`."""
    for maker in MAKERS:
        if name.startswith(maker):
            return name[len(maker) :]
    return name


def what_if_part(report: Report) -> str:
    """The heading and the form; empty where nothing about the file can be projected.

    What is as audited stands as a hint, not as a value: what is sent counts as stated.
    """
    if report.profile.step_s is None:
        return ""
    used = report.hardware
    chosen = {used.id, *CARDS}
    shown = dict.fromkeys((used.id, *USUAL))
    cards = {card.id: card for card in all_hardware()}
    first = _boxes((cards[name] for name in shown), chosen)
    rest = _boxes((card for card in cards.values() if card.id not in shown), chosen)
    return (
        '<section class="gg-what-if" id="gg-what-if" aria-labelledby="gg-what-if-title">'
        '<header class="gg-section-head"><h2 id="gg-what-if-title">What if it ran elsewhere</h2>'
        "<p>Your file and its patch on other cards. Change anything: the table follows.</p>"
        f'<span class="gg-right">{provenance_badge("projected")}</span></header>'
        '<form class="gg-what-if-form" onsubmit="return false">'
        f'<fieldset class="gg-cards"><legend>Cards</legend>{first}'
        f'<details class="gg-more-cards"><summary>More cards</summary><div>{rest}</div></details>'
        f"</fieldset>{_fields(report)}</form></section>"
    )


def _boxes(cards: Iterable[Hardware], chosen: set[str]) -> str:
    return "".join(
        f'<label class="gg-pick"><input type="checkbox" name="cards" value="{card.id}"'
        f"{' checked' * (card.id in chosen)}><span>{escape(short_name(card.name))}</span></label>"
        for card in cards
    )


def _fields(report: Report) -> str:
    used, lengths = report.hardware, report.lengths
    epochs = report.fields.get("num_epochs")
    steps = report.fields.get("max_steps")
    known = epochs.value if epochs and isinstance(epochs.value, int | float) else None
    by_steps = steps and isinstance(steps.value, int) and steps.value > 0
    length = f"file: {steps.value:,} steps" if steps and by_steps else "such as 52k"
    typical = lengths or ASSUMED
    whose = "assumed" if typical.origin == "assumed" else "as audited"
    passes = f"{known:g}, as the file says" if known and known > 0 else "1, assumed"
    return (
        '<div class="gg-fields">'
        + _field("gpus", "GPUs per machine", str(used.gpus))
        + _field("nodes", "Machines", str(used.nodes))
        + _field("rows", "Rows of the dataset", "", length)
        + _field("epochs", "Epochs", "", passes)
        + _field("p50", "Typical sample, tokens", "", f"{typical.p50}, {whose}")
        + _field("p95", "Long sample (95%)", "", f"{typical.p95}, {whose}")
        + _field("max", "Longest sample", "", f"{typical.max}, {whose}")
        + "</div>"
    )


def _field(name: str, label: str, value: str, hint: str = "") -> str:
    return (
        f'<label class="gg-field"><span>{label}</span><input name="{name}" inputmode="decimal" '
        f'autocomplete="off" value="{escape(value)}" placeholder="{escape(hint)}"></label>'
    )
