"""Faults put into files are found, and nothing else appears or vanishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.records.upload import Upload
from kb.catalog.hardware import find_hardware
from kb.match import match_rules
from kb.rulebook import load_rules
from runner.estimator.profile import profile_workload
from tests.kb.faults import FAULTS, REWRITINGS, VARIABLES, Rewriting, Variables
from tests.kb.injection import CLEAN, FOUND, read_files, run, table
from workload.read import read_workload

HERE = Path(__file__).parent
OWN = read_files(HERE / "tuned")
SCRIPT = (HERE / "faulty" / "trl_qlora.py.txt").read_text()
PLACE = 'os.environ["NCCL_DEBUG"] = "WARN"\n'


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_in_well_tuned_files(name: str) -> None:
    results = run(FAULTS[name], OWN)
    assert all(result.found for result in results)
    assert [result.unrelated for result in results if result.unrelated] == []


def test_most_faults_have_a_well_tuned_file_to_go_into() -> None:
    injected = [name for name, fault in FAULTS.items() if run(fault, OWN, most=1)]
    assert len(injected) >= 25
    assert {fault.rule for fault in FAULTS.values()} <= {rule.id for rule in load_rules()}


def found_in(text: str, hardware: str, gpus: int, nodes: int, versions: dict[str, str]) -> set[str]:
    card = find_hardware(hardware)
    workload = read_workload((Upload("train.py", text.encode()),))
    workload = workload.model_copy(update={"versions": {**workload.versions, **versions}})
    profile = profile_workload(workload, card, gpus, nodes)
    return {finding.rule_id for finding in match_rules(workload, profile, card).findings}


@pytest.mark.parametrize("fault", VARIABLES, ids=lambda fault: "-".join(fault.values))
def test_variable_is_found_and_nothing_else_changes(fault: Variables) -> None:
    lines = "".join(f'os.environ["{name}"] = "{value}"\n' for name, value in fault.values.items())
    assert PLACE in SCRIPT
    where = (fault.hardware, fault.gpus, fault.nodes, fault.versions)
    before, after = found_in(SCRIPT, *where), found_in(SCRIPT.replace(PLACE, lines), *where)
    assert fault.rule not in before
    assert after ^ before == {fault.rule}


@pytest.mark.parametrize("fault", REWRITINGS, ids=lambda fault: f"{fault.rule}-{fault.new}")
def test_line_written_otherwise_is_found(fault: Rewriting) -> None:
    script = (HERE / fault.script).read_text()
    assert script.count(fault.old) == 1
    where = (fault.hardware, fault.gpus, 1, {})
    before = found_in(script, *where)
    after = found_in(script.replace(fault.old, fault.new), *where)
    assert fault.rule in after - before


@pytest.mark.shared
def test_faults_are_found_in_real_files(shared: Path) -> None:
    """Five files per fault; `python -m tests.kb.injection ../shared/configs` takes a hundred."""
    text, found, clean = table(shared / "configs", most=5)
    assert found >= FOUND, text
    assert clean >= CLEAN, text
