"""An audit's report for another choice of edits: real files, real patches, real projections."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.api import audit
from agent.finished.rebuild import EditChoice, followed, rebuild
from agent.jobs import Jobs
from agent.patching.propose import patched_uploads
from agent.patching.quick import propose
from agent.request import AuditRequest
from agent.settings import Settings
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload
from tests.agent.training_files import STOPS

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted(
    path for path in (ROOT / "examples").iterdir() if path.suffix in (".yml", ".yaml", ".py")
)
FATAL = "precision.tf32_on_rocm"
PACKING = "correct.packing_mixes_documents"


def asked(path: Path | None = None) -> AuditRequest:
    upload = Upload(path.name, path.read_bytes()) if path else Upload("my.yml", STOPS.encode())
    return AuditRequest(uploads=(upload,), hardware="mi300x")


def applied(folder: Path, upload: Upload, diff: str) -> bytes:
    """The file after a real `git apply`."""
    (folder / upload.name).write_bytes(upload.data)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff.encode(), check=True)
    return (folder / upload.name).read_bytes()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_same_choice_gives_the_same_report(path: Path) -> None:
    request = asked(path)
    made = audit(request)
    if not followed(made):
        assert rebuild(made, request, EditChoice()) == made
        return
    assert rebuild(made, request, EditChoice(on=followed(made))) == made


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_each_edit_can_be_switched_alone(path: Path, tmp_path: Path) -> None:
    request = asked(path)
    made = audit(request)
    for finding in made.findings:
        if not finding.edits:
            continue
        wanted = followed(made) ^ {finding.rule_id}
        report = rebuild(made, request, EditChoice.wanting(made, wanted))
        assert followed(report) == wanted
        assert {found.rule_id for found in report.findings} == {
            found.rule_id for found in made.findings
        }
        assert [found.id for found in report.findings] == [found.id for found in made.findings]
        patched = patched_uploads(request, report.patch)[0].data
        if report.patch.diff:
            folder = tmp_path / finding.id
            folder.mkdir()
            assert applied(folder, request.uploads[0], report.patch.diff) == patched
        else:
            assert patched == request.uploads[0].data
        left = [edit for edit in report.patch.edits if not edit.applied]
        assert all(edit.reason for edit in left)


def test_without_its_cure_a_file_that_stops_has_no_figures_and_says_why() -> None:
    request = asked()
    made = audit(request)
    report = rebuild(made, request, EditChoice(off=frozenset({FATAL})))
    assert "+tf32" not in report.patch.diff
    assert report.comparison.verdict == "not_comparable"
    assert "TF32 is refused" in report.comparison.reason
    assert report.after is None


def test_a_dynamics_edit_is_off_until_it_is_switched_on() -> None:
    request = asked(ROOT / "examples" / "llamafactory-packing.yaml")
    made = audit(request)
    assert PACKING not in followed(made)
    report = rebuild(made, request, EditChoice(on=frozenset({PACKING})))
    assert PACKING in followed(report)
    edit = next(edit for edit in report.patch.edits if PACKING in edit.rule_ids)
    assert (edit.semantics, edit.applied) == ("dynamics", True)
    assert report.provenance == "projected"
    assert report.comparison.verdict != "not_comparable"


def test_a_kept_field_stays_whatever_is_switched_on() -> None:
    path = ROOT / "examples" / "axolotl-qlora-192gb.yml"
    request = replace(asked(path), keep=frozenset({"optimizer"}))
    made = audit(request)
    rule = "optim.eight_bit_for_lora"
    assert rule not in followed(made)
    report = rebuild(made, request, EditChoice(on=frozenset({rule})))
    assert rule not in followed(report)
    reasons = [edit.reason for edit in report.patch.edits if rule in edit.rule_ids]
    assert reasons == ["You asked to keep optimizer"]


def test_what_is_no_rule_is_left_out_of_a_choice() -> None:
    choice = EditChoice.read("a.b,<script>,../x,c_d," + "x" * 3, None)
    assert choice == EditChoice(off=frozenset({"a.b", "c_d", "xxx"}))
    assert not EditChoice.read(7, ["a.b"])
    request = asked()
    made = audit(request)
    assert rebuild(made, request, EditChoice(off=frozenset({"no.such_rule"}))) == made
    assert EditChoice.wanting(made, [*followed(made), "no.such_rule"]) == EditChoice()


def test_an_audit_of_another_version_is_not_rebuilt() -> None:
    request = asked()
    made = audit(request)
    old: Report = made.model_copy(update={"versions": {**made.versions, "kb": "1999-01-01"}})
    with pytest.raises(UserError, match="Run it again"):
        rebuild(old, request, EditChoice(off=frozenset({FATAL})))


def test_only_the_owner_can_switch(tmp_path: Path) -> None:
    jobs = Jobs(Settings(data_dir=tmp_path))
    try:
        started = jobs.start(asked())
        end = time.monotonic() + 60
        while jobs.report(started.audit_id) is None and time.monotonic() < end:
            time.sleep(0.05)
        choice = EditChoice(off=frozenset({FATAL}))
        with pytest.raises(UserError, match="somebody else"):
            jobs.rebuilt(started.audit_id, "0" * 32, choice)
        report = jobs.rebuilt(started.audit_id, started.owner_token, choice)
        assert FATAL not in followed(report)
        (file,) = jobs.patched_files(started.audit_id, started.owner_token, choice)
        assert b"tf32: true" in file.data
        (file,) = jobs.patched_files(started.audit_id, started.owner_token)
        assert b"tf32: true" not in file.data
        kept = jobs.report(started.audit_id)
        assert kept is not None
        assert FATAL in followed(kept), "a choice changes nothing of what is kept"
    finally:
        jobs.close()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_command_of_the_same_rules_writes_the_same_patch(path: Path) -> None:
    request = asked(path)
    made = audit(request)
    wanted = sorted(followed(made))[1:]
    if not wanted:
        return
    report = rebuild(made, request, EditChoice.wanting(made, wanted))
    assert propose(request, followed(report)).diff == report.patch.diff


def test_a_switched_edit_knows_no_more_of_the_card_than_the_audit_did() -> None:
    request = replace(asked(), hardware=None)
    made = audit(request)
    other = rebuild(made, request, EditChoice(off=frozenset({FATAL})))
    assert other.hardware == made.hardware
    assert made.hardware.origin == "assumed"
