"""The boxes with which the owner of an audit takes edits into the patch or leaves them out."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from agent.finished.rebuild import EditChoice, followed
from audit.export.standing import WORDS, Placed, place_findings
from audit.records.report import Report
from ui.figures import count, marked, times, times_between, words


class Switches(NamedTuple):
    """What the boxes show beside the patch itself."""

    choice: EditChoice
    """What was switched, against the patch as the audit made it."""
    wanted: frozenset[str]
    """The rules to follow; one of them is still left out where it waits for another one."""
    turn: int = 0
    """Counts the switches of a visit, so that a box whose edit was refused is drawn anew."""


def switches_of(made: Report, choice: EditChoice, turn: int = 0) -> Switches:
    """The switches of an audit, given its report as it was made."""
    return Switches(choice, choice.wanted(made), turn)


def switch(placed: Placed, switches: Switches) -> str:
    """The box of one finding: its edits go into the patch together or not at all.

    `data-wanted` is what the owner asked for; the box itself shows what came of it.
    """
    finding, here = placed.finding, placed.standing in ("in_patch", "partly")
    rule, wanted = escape(finding.rule_id), int(finding.rule_id in switches.wanted)
    return (
        f'<label class="gg-switch"><input type="checkbox" id="gg-edit-{rule}" data-rule="{rule}" '
        f'data-wanted="{wanted}"{" checked" * here}>'
        f'<span class="gg-knob" aria-hidden="true"></span><span>{WORDS[placed.standing]}</span>'
        f'<span class="gg-sr">: {escape(finding.title)}</span></label>'
    )


def switch_marks(switches: Switches) -> str:
    """Attributes from which the page keeps the choice in its address."""
    off, on = (",".join(sorted(rules)) for rules in (switches.choice.off, switches.choice.on))
    return f' data-off="{escape(off)}" data-on="{escape(on)}" data-turn="{switches.turn}"'


def patch_line(report: Report) -> str:
    """`Patch: 5 edits, projected 2.1x (1.7 to 2.5).` as HTML."""
    edits, compared = sum(edit.applied for edit in report.patch.edits), report.comparison
    said = f"Patch: {count(edits, 'edit') if edits else 'no edits'}"
    if compared.speedup is not None and edits:
        provenance = compared.provenance or report.provenance
        ratio = marked("speedup", times(compared.speedup.value), provenance, "span")
        return f"{said}, {provenance} {ratio} ({times_between(compared.speedup)})."
    if compared.verdict in ("not_comparable", "failed"):
        return f"{said}. {words(compared.reason)}"
    return f"{said}."


def switched_note(report: Report, switches: Switches) -> str:
    """What came of the owner's choice, and the way back; empty where nothing is switched."""
    if not switches.choice:
        return ""
    return (
        f'<div class="gg-note gg-switched"><span><b>Your choice of edits.</b> {patch_line(report)}'
        '</span><button type="button" class="gg-button gg-small gg-right" data-switch-back>'
        "Back to the audit\u2019s patch</button></div>"
    )


def refusal(report: Report, rule_id: str) -> str:
    """Why a rule that was just switched on is not followed; empty where it is."""
    if rule_id in followed(report):
        return ""
    placed = [item for item in place_findings(report) if item.finding.rule_id == rule_id]
    reasons = [edit.reason for item in placed for edit in item.edits if edit.reason]
    if not placed:
        return ""
    why = reasons[0].rstrip(".") if reasons else "no edit of the file makes it"
    return words(f"Not switched on: {why[:1].lower()}{why[1:]}. ")
