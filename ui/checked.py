"""What was checked and found in order: every rule that applied and did not fire."""

from __future__ import annotations

from html import escape

from audit.records.finding import Check
from audit.records.report import Report
from audit.records.workload import Notice
from ui.figures import count, words

AREAS = {
    "precision": "Precision",
    "quant": "Precision",
    "attention": "Attention and kernels",
    "batch": "Batch and data",
    "data": "Batch and data",
    "memory": "Memory and optimizer",
    "optim": "Memory and optimizer",
    "correct": "Correct training",
    "names": "Names the library knows",
}
"""Heading by the first word of a rule's id, which is the name of its file in kb/rules."""
OTHER = "System and environment"


def area_of(rule_id: str) -> str:
    """The heading under which a rule's check stands: the first word of its id."""
    return AREAS.get(rule_id.split(".", 1)[0], OTHER)


def group_checks(checked: tuple[Check, ...]) -> dict[str, list[Check]]:
    """Checks by area, in the order of the areas."""
    groups: dict[str, list[Check]] = {area: [] for area in [*AREAS.values(), OTHER]}
    for check in checked:
        groups[area_of(check.rule_id)].append(check)
    return {area: checks for area, checks in groups.items() if checks}


def _item(check: Check) -> str:
    return f'<li title="{escape(check.rule_id)}">{escape(check.title)}</li>'


ABOUT: dict[str, str] = {"file": "how the file was read", "runs": "how the runs were measured"}


def notices_card(notices: tuple[Notice, ...]) -> str:
    """What was noticed that is no finding: of the file, and of the measurement."""
    told = "".join(
        _folded(said, tuple(one for one in notices if one.about == about))
        for about, said in ABOUT.items()
    )
    return f'<div class="gg-card gg-pad gg-notices">{told}</div>' if told else ""


def _folded(said: str, notices: tuple[Notice, ...]) -> str:
    if not notices:
        return ""
    items = "".join(
        f"<li>{words(notice.message)}"
        + (f' <span class="gg-muted">line {notice.line}</span>' if notice.line is not None else "")
        + "</li>"
        for notice in notices
    )
    return (
        "<details><summary>"
        f"{count(len(notices), 'note')} on {said}"
        f"</summary><ul>{items}</ul></details>"
    )


def checked_part(report: Report) -> str:
    """The section with all checks by area, and the notes on the reading of the file."""
    groups = group_checks(report.checked)
    blocks = "".join(
        f'<div><h3>{area}</h3><ul class="gg-checks">'
        f"{''.join(_item(check) for check in checks)}</ul></div>"
        for area, checks in groups.items()
    )
    fired = len({finding.rule_id for finding in report.findings})
    total = fired + len(report.checked)
    said = (
        f"{count(total, 'rule')} {'applies' if total == 1 else 'apply'} to this file: "
        f"{fired} fired, {len(report.checked)} passed."
    )
    card = f'<div class="gg-card gg-pad gg-areas">{blocks}</div>' if blocks else ""
    return (
        f'<section class="gg-section" id="gg-checked"><header><h2>What was checked</h2>'
        f"<p>{said}</p></header>{card}{notices_card(report.notices)}</section>"
    )
