"""Faults put into files are found, and nothing else appears or vanishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kb.rulebook import load_rules
from tests.kb.faults import FAULTS
from tests.kb.injection import CLEAN, FOUND, read_files, run, table

HERE = Path(__file__).parent
OWN = read_files(HERE / "tuned")


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_in_well_tuned_files(name: str) -> None:
    results = run(FAULTS[name], OWN)
    assert all(result.found for result in results)
    assert [result.unrelated for result in results if result.unrelated] == []


def test_most_faults_have_a_well_tuned_file_to_go_into() -> None:
    injected = [name for name, fault in FAULTS.items() if run(fault, OWN, most=1)]
    assert len(injected) >= 25
    assert {fault.rule for fault in FAULTS.values()} <= {rule.id for rule in load_rules()}


@pytest.mark.shared
def test_faults_are_found_in_real_files(shared: Path) -> None:
    """Five files per fault; `python -m tests.kb.injection ../shared/configs` takes a hundred."""
    text, found, clean = table(shared / "configs", most=5)
    assert found >= FOUND, text
    assert clean >= CLEAN, text
