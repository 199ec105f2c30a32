"""Well-tuned files, one per framework: nothing is edited, and what was checked is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from kb.catalog.hardware import find_hardware
from kb.choose import choose_findings
from kb.match import Matches, match_rules
from runner.estimator.profile import profile_workload
from tests.kb.situations import upload
from workload.read import read_workload

FILES = sorted((Path(__file__).parent / "tuned").iterdir())


def matched(path: Path, hardware: str, gpus: int) -> Matches:
    card = find_hardware(hardware)
    workload = read_workload((upload(path),))
    return match_rules(workload, profile_workload(workload, card, gpus, 1), card)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_found_on_the_card_it_was_tuned_for(path: Path) -> None:
    found = matched(path, "mi300x", 8 if path.stem == "accelerate" else 1)
    assert [finding.rule_id for finding in found.findings] == []
    assert choose_findings(found.findings) == ()
    assert found.checked


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_another_card_brings_no_nonsense(path: Path) -> None:
    """On eight H100 only what eight cards or 80 GB change may be found."""
    found = {finding.rule_id for finding in matched(path, "h100-sxm", 8).findings}
    assert found <= {"parallel.unused_search", "memory.checkpointing_to_fit"}


def test_every_framework_is_there() -> None:
    frameworks = {read_workload((upload(path),)).framework for path in FILES}
    assert len(frameworks) >= 8
