"""What a verdict says first: the headline, and one or two sentences on what is wrong."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from audit.export.standing import Placed
from audit.records.report import Report
from ui.figure_row import spread_text
from ui.figures import count, marked, times, times_between, words


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
        known = report.comparison.verdict != "not_comparable"
        return Headline("Nothing to fix" if known else "No finding, no figures", figures=False)
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
    return not report.findings and report.comparison.verdict not in ("failed", "not_comparable")


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
    """Why there is no figure: the run cannot start, or the estimate needs what nobody stated."""
    if not report.profile.missing and report.comparison.reason:
        return words(report.comparison.reason)
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
