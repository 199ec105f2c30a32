"""One patch is the whole of it: its steps lead to the figures after, a second audit adds none."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.api import audit
from agent.patching.propose import patched_uploads
from agent.request import AuditRequest
from audit.records.report import Report
from audit.records.upload import Upload

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.[yp]*"))
CARDS = ("mi300x", "mi210", "h100-sxm", "a100-40gb", "rtx-4090")


def request_of(path: Path, card: str) -> AuditRequest:
    return AuditRequest(uploads=(Upload(path.name, path.read_bytes()),), hardware=card)


def applied(report: Report) -> list[str]:
    return [edit.field for edit in report.patch.edits if edit.applied]


def exported(report: Report) -> set[str]:
    """What is set outside the file, and so is not in the text that a second audit reads."""
    return {f"env:{name}" for name in report.patch.env}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_patched_file_needs_no_second_patch(path: Path, card: str) -> None:
    request = request_of(path, card)
    report = audit(request)
    patched = patched_uploads(request, report.patch)
    again = audit(AuditRequest(uploads=patched, hardware=card))
    assert set(applied(again)) <= exported(report)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_steps_of_the_patch_lead_to_the_figures_after(path: Path) -> None:
    report = audit(request_of(path, "mi300x"))
    if not applied(report):
        assert report.patch.steps == ()
        return
    assert report.after is not None
    assert report.after.step_s is not None
    assert report.comparison.speedup is not None
    last = report.patch.steps[-1]
    assert last.step_s == pytest.approx(report.after.step_s.value, rel=1e-6)
    followed = {step.finding_id for step in report.patch.steps}
    assert followed <= {finding.id for finding in report.findings}
    product = 1.0
    for finding in report.findings:
        effect = finding.effect
        if finding.id in followed and effect.metric == "speed" and effect.value is not None:
            assert effect.scope == "in_patch"
            product *= effect.value
    whole = report.comparison.speedup
    assert whole.low <= product <= whole.high


def test_what_becomes_possible_only_with_the_others_is_in_the_same_patch() -> None:
    text = (Path(__file__).resolve().parents[3] / "examples" / "trl-sft-tutorial.py").read_text()
    longer = text.replace("max_length=1024", "max_length=4096")
    assert longer != text
    seen = []
    for card in CARDS:
        request = AuditRequest(uploads=(Upload("train.py", longer.encode()),), hardware=card)
        report = audit(request)
        patched = patched_uploads(request, report.patch)
        again = audit(AuditRequest(uploads=patched, hardware=card))
        assert set(applied(again)) <= exported(report)
        seen += [finding.id for finding in report.findings]
        assert len({finding.id for finding in report.findings}) == len(report.findings)
    assert seen
