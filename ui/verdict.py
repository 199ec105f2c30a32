"""The verdict card: file and card, badge and headline, counts, four figures, buttons."""

from __future__ import annotations

from html import escape

from audit.export.standing import Placed, place_findings
from audit.records.report import Report
from ui.figure_row import figure_row
from ui.figures import count, duration
from ui.headline import headline, lede
from ui.marks import Shape, copy_button, press_button, provenance_badge, severity_mark
from ui.marks import icon as picture

FORMATS = {
    "axolotl_yaml": "axolotl YAML",
    "llamafactory_yaml": "LLaMA-Factory YAML",
    "llamafactory_v1_yaml": "LLaMA-Factory v1 YAML",
    "llamafactory_json": "LLaMA-Factory JSON",
    "trl_recipe_yaml": "TRL recipe",
    "torchtune_yaml": "torchtune YAML",
    "openinstruct_yaml": "open-instruct YAML",
    "litgpt_yaml": "LitGPT YAML",
    "nemo_rl_yaml": "NeMo RL YAML",
    "primus_exp_yaml": "Primus YAML",
    "verl_yaml": "verl YAML",
    "accelerate_yaml": "accelerate config",
    "deepspeed_json": "DeepSpeed config",
    "peft_json": "adapter config",
    "fsdp_json": "FSDP config",
    "training_args_json": "training arguments",
    "trainer_state_json": "trainer state",
    "py_trl": "TRL script",
    "py_hf_trainer": "Transformers script",
    "ipynb_trl": "TRL notebook",
    "ipynb_hf_trainer": "Transformers notebook",
    "py_accelerate": "accelerate script",
    "py_deepspeed": "DeepSpeed script",
    "py_torch": "PyTorch script",
    "sh_launcher": "launch script",
}
METHODS = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "full": "full fine-tuning"}
COMPLETED = {"rules": "by rules", "model": "by a model", "model+rules": "by a model with rules"}


def counts(placed: tuple[Placed, ...], passed: int) -> str:
    """How many findings of each severity, how many offered, how many checks passed."""
    groups = [item.group for item in placed]
    kinds: tuple[Shape, ...] = ("critical", "high", "medium", "low", "info", "offered")
    marks = []
    for kind in kinds:
        here = groups.count(kind)
        if here:
            said = count(here, "note") if kind == "info" else f"{here} {kind}"
            marks.append(severity_mark(kind, said))
    marks.append(severity_mark("passed", f"{count(passed, 'check')} passed"))
    return f'<ul class="gg-counts">{"".join(f"<li>{mark}</li>" for mark in marks)}</ul>'


def hardware_text(report: Report) -> str:
    """`1x MI300X 192 GB (assumed)`."""
    hardware = report.hardware
    cards = f"{hardware.gpus * hardware.nodes}x {hardware.name}"
    if hardware.memory_gb and f"{hardware.memory_gb:.0f} GB" not in hardware.name:
        cards += f" {hardware.memory_gb:.0f} GB"
    if hardware.nodes > 1:
        cards += f" on {hardware.nodes} nodes"
    return cards if hardware.origin == "stated" else f"{cards} ({hardware.origin})"


def meta_line(report: Report, note: str = "") -> str:
    """File, framework, model and card, and who audited in what time."""
    method = report.fields.get("finetune_method")
    model = report.fields.get("model_id")
    what = []
    if model is not None and model.value is not None:
        what.append(str(model.value).rstrip("/").rsplit("/", 1)[-1])
    if method is not None and method.value is not None:
        what.append(METHODS.get(str(method.value), str(method.value)))
    said = f"Audited in {duration(report.seconds)} {COMPLETED[report.completed_by]}"
    parts = [
        f'<b class="gg-mono">{escape(report.workload_name)}</b>',
        escape(FORMATS.get(report.format, report.format.replace("_", " "))),
        escape(", ".join(what)),
        escape(hardware_text(report)),
    ]
    spans = "".join(f"<span>{part}</span>" for part in parts if part)
    return f'<div class="gg-meta">{spans}<span class="gg-right">{escape(note or said)}</span></div>'


def badge_of(report: Report, *, large: bool = False, text: str | None = None) -> str:
    """The report's badge, anchored where its figures are."""
    arm = report.after or report.before
    anchored = bool(arm and arm.anchored)
    return provenance_badge(report.provenance, anchored=anchored, text=text, large=large)


def actions(report: Report) -> str:
    """The buttons under the verdict; one of them is primary."""
    buttons = []
    if report.patch.diff:
        buttons.append(
            press_button(
                "gg-download-patch", "Download patch", primary=True, picture=picture("download")
            )
        )
    link = copy_button("gg-link", "Copy link", primary=not buttons, small=False)
    believe = '<a href="#gg-believe">Why believe this number?</a>'
    confidence = report.comparison.confidence
    note = ""
    if report.before is not None and report.believe is not None:
        share = f"{confidence * 100:.0f}% interval. " if confidence else ""
        note = f'<span class="gg-right gg-small-text gg-muted">{share}{believe}</span>'
    return f'<div class="gg-actions">{"".join(buttons)}{link}{note}</div>'


def verdict_card(report: Report, note: str = "", *, level: int = 1) -> str:
    """The card that makes sense alone as a picture.

    Args:
        report: the finished audit.
        note: stands where else the time of the audit is told.
        level: of the heading; the page moves the focus to it when it is the first one.
    """
    placed = place_findings(report)
    head = headline(report, placed)
    has_figures = report.before is not None or report.after is not None
    badge = badge_of(report, large=True) if head.figures else ""
    aside = ""
    if not head.figures and has_figures:
        word = "All figures " + report.provenance
        aside = f'<span class="gg-right">{badge_of(report, text=word)}</span>'
    ends = f' <span class="gg-range">{head.range}</span>' if head.range else ""
    target = ' tabindex="-1" id="gg-headline"' if level == 1 else ""
    return (
        '<section class="gg-card gg-verdict" id="gg-verdict" '
        f'data-verdict="{report.comparison.verdict}"'
        f' data-edits="{sum(edit.applied for edit in report.patch.edits)}">'
        f"{meta_line(report, note)}"
        f'<div class="gg-head"><h{level}{target}>'
        f"{badge}{head.text}{ends}</h{level}>{aside}</div>"
        f'<p class="gg-lede">{lede(report, placed)}</p>'
        f"{counts(placed, len(report.checked))}{figure_row(report)}{actions(report)}</section>"
    )
