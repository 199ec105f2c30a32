"""The verdict card: file and card, badge and headline, what is wrong, counts, four figures."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from audit.records.report import Report
from ui.figure_row import figure_row, spread_text
from ui.figures import count, duration, marked, times, times_between, words
from ui.marks import Shape, copy_button, press_button, provenance_badge, severity_mark
from ui.marks import icon as picture
from ui.standing import Placed, place_findings

FORMATS = {
    "axolotl_yaml": "axolotl YAML",
    "llamafactory_yaml": "LLaMA-Factory YAML",
    "py_trl": "TRL script",
    "py_hf_trainer": "Transformers script",
}
METHODS = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "full": "full fine-tuning"}
COMPLETED = {"rules": "by rules", "model": "by a model", "model+rules": "by a model with rules"}


class Headline(NamedTuple):
    """What stands in large type, as HTML: the words and, after them, the interval."""

    text: str
    range: str = ""
    figures: bool = True
    """Whether it states figures, and so needs the badge before it."""


def _failed_headline(report: Report) -> Headline:
    for name, arm in (("Patched run", report.after), ("Baseline run", report.before)):
        if arm and arm.failure:
            return Headline(escape(f"{name}: {arm.failure}"))
    return Headline("The run failed")


def _speed_headline(report: Report) -> Headline:
    """The headline of a comparison that gave an interval."""
    comparison = report.comparison
    speedup = comparison.speedup
    provenance = comparison.provenance or report.provenance
    if speedup is None or comparison.verdict not in ("faster", "slower", "no_difference"):
        return Headline("Not comparable", figures=False)
    ends = f"({escape(times_between(speedup))})"
    if comparison.verdict == "faster":
        text = marked("speedup", times(speedup.value), provenance, "span") + " faster"
    elif comparison.verdict == "slower":
        text = "Slower: " + marked("speedup", times(speedup.value), provenance, "span")
    else:
        starts = "" if report.starts_as_written else "It starts, "
        text = f"{starts}{'no' if starts else 'No'} difference in speed"
        ends = marked("speedup", times(speedup.value), provenance, "span") + " " + ends
    return Headline(text, ends)


def _edits_headline(report: Report, placed: tuple[Placed, ...]) -> Headline:
    """The headline where no figure can be given, or none is to be compared."""
    applied = sum(edit.applied for edit in report.patch.edits)
    if applied:
        text = f"{count(len(placed), 'finding')}, {count(applied, 'edit')}"
        return Headline(f"{text}, no figures" if report.before is None else text, figures=False)
    if not placed:
        return Headline("Nothing to fix", figures=False)
    if all(item.standing == "offered" for item in placed):
        return Headline("Nothing to fix without changing training", figures=False)
    return Headline(f"{count(len(placed), 'finding')}, no edit to your file", figures=False)


def headline(report: Report, placed: tuple[Placed, ...]) -> Headline:
    """The one line that a reader takes away."""
    applied = any(edit.applied for edit in report.patch.edits)
    if report.comparison.verdict == "failed":
        return _failed_headline(report)
    if not applied or report.comparison.speedup is None:
        if applied and report.before and report.after:
            return _speed_headline(report)
        return _edits_headline(report, placed)
    return _speed_headline(report)


def well_tuned(report: Report) -> bool:
    """Whether there is nothing to say against the file."""
    return not report.findings and report.comparison.verdict != "failed"


def _stop_sentence(report: Report, placed: tuple[Placed, ...]) -> str:
    """What stops the run as written, and what `before` then means."""
    fatal = [item.finding for item in placed if item.finding.stops_run]
    places = [f"line {item.evidence.line}" for item in fatal if item.evidence.line]
    where = f" ({escape(', '.join(places))})" if places else ""
    fixed = "that line" if len(places) == 1 else "that"
    before = f" “Before” is your file with only {fixed} fixed." if report.before is not None else ""
    return (
        f'<strong class="gg-critical">As written, the file stops on '
        f"{escape(report.hardware.name)}</strong>{where}.{before}"
    )


def _edit_sentence(report: Report) -> str:
    """How many edits, and that the effective batch is kept."""
    edits = [edit for edit in report.patch.edits if edit.applied]
    if not edits:
        return ""
    batch = report.fields.get("effective_batch")
    changes = any(edit.semantics == "dynamics" for edit in edits)
    verb = "changes" if len(edits) == 1 else "change"
    if changes:
        return f"{count(len(edits), 'edit')}, of which some change what the model learns."
    if batch and batch.value is not None:
        keep = "keeps" if len(edits) == 1 else "keep"
        return f"{count(len(edits), 'edit')} {keep} the effective batch at {batch.value}."
    return f"{count(len(edits), 'edit')}, none of which {verb} what the model learns."


def _figures_sentence(report: Report) -> str:
    """Why there is no figure, or what stands instead of one."""
    comparison = report.comparison
    if report.before is None and report.after is None:
        return missing_sentence(report)
    if comparison.verdict == "failed":
        kept = ""
        if report.before and report.before.step_s and not report.before.failure:
            kept = f" The baseline: {spread_text(report.before.step_s, ' s')} per step."
        return escape(f"There is no “after” figure, and nothing takes its place.{kept}")
    if comparison.verdict == "no_difference" and comparison.minimum_detectable_effect:
        share = f"{comparison.minimum_detectable_effect * 100:.0f}%"
        return escape(f"The smallest difference this could have told is {share}.")
    if comparison.verdict == "not_comparable" and report.patch.diff:
        return words(comparison.reason)
    return ""


def missing_sentence(report: Report) -> str:
    """What the estimate needs and the file does not say."""
    needed = ", ".join(report.profile.missing)
    reason = report.profile.missing_reason or "The file does not say enough to project figures"
    text = f"No speed or memory figure: {reason.rstrip('.')}."
    if needed:
        text += f" State {needed} to get one; findings and patch stand without it."
    return words(text)


def lede(report: Report, placed: tuple[Placed, ...]) -> str:
    """One or two sentences on what is wrong, as HTML."""
    if well_tuned(report):
        figures = _figures_sentence(report) if report.before is None else ""
        return (
            "No edit we know of would make this file faster or safer on this card, so there is no "
            f"patch. Below is what that rests on. {figures}"
        )
    parts = []
    if not report.starts_as_written:
        parts.append(_stop_sentence(report, placed))
    elif placed and placed[0].group != "offered":
        parts.append(
            f"First: {escape(placed[0].finding.title[:1].lower() + placed[0].finding.title[1:])}."
        )
    parts += [escape(_edit_sentence(report)), _figures_sentence(report)]
    return " ".join(part for part in parts if part)


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
    return f"{cards} (assumed)" if hardware.origin == "assumed" else cards


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
