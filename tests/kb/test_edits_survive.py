"""Every edit that a rule plans for a framework is made in a file of that framework, and stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.records.finding import FieldEdit
from kb.match import match_rules
from kb.rule import Rule
from kb.rulebook import load_rules
from tests.kb.situations import make_case, upload
from workload.patch import edit_workload

HERE = Path(__file__).parent
FILE = {
    "accelerate": "accelerate.yaml",
    "axolotl": "axolotl.yml",
    "deepspeed": "deepspeed.json",
    "hf": "hf_script.py.txt",
    "litgpt": "litgpt.yaml",
    "llamafactory": "llamafactory.yaml",
    "nemo_rl": "nemo_rl.yaml",
    "open-instruct": "open_instruct.yaml",
    "primus": "primus.yaml",
    "torch": "../loops/torch_loop.py.txt",
    "torchtune": "torchtune.yaml",
    "trl": "trl_script.py.txt",
}
LOOP = "../loops/accelerate_loop.py.txt"
"""What an accelerate config has no key for stands in the loop that it launches."""
QUANTISED = {"hf": "hf_int8.py.txt", "trl": "trl_qlora.py.txt"}
"""Scripts where a quantised base stands already: no edit writes a config object from nothing."""
SAID = "the file says so already"
PAIRS = [(rule, framework) for rule in load_rules() if rule.edits for framework in rule.frameworks]


def edits_for(rule: Rule, framework: str) -> tuple[FieldEdit, ...]:
    """What the rule plans where its own example is a file of `framework`.

    A variable that is set stands in the launch, not in the file (`agent.patching.propose`).
    """
    example = rule.fires_on.model_copy(update={"framework": framework})
    findings = match_rules(*make_case(example)).findings
    found = next((one for one in findings if one.rule_id == rule.id), None)
    edits = found.edits if found else ()
    return tuple(edit for edit in edits if edit.remove or not edit.field.startswith("env:"))


@pytest.mark.parametrize(("rule", "framework"), PAIRS, ids=lambda one: getattr(one, "id", one))
def test_edit_is_made(rule: Rule, framework: str) -> None:
    path = HERE / "tuned" / FILE[framework]
    if rule.id.startswith("quant.") and framework in QUANTISED:
        path = HERE / "faulty" / QUANTISED[framework]
    for edit in edits_for(rule, framework):
        if edit.field.startswith("env:") and ".py" not in path.suffixes:
            continue
        edited = edit_workload((upload(path),), [edit])
        if framework == "accelerate" and edited.outcomes[0].reason not in (None, SAID):
            edited = edit_workload((upload(HERE / "tuned" / LOOP),), [edit])
        (outcome,) = edited.outcomes
        assert outcome.applied or outcome.reason == SAID, (edit, outcome.reason)
        if not edit.remove:
            assert edited.workload.value(edit.field) == edit.value


def test_there_is_a_file_for_every_framework_that_rules_speak_of() -> None:
    assert {framework for rule in load_rules() for framework in rule.frameworks} == set(FILE)
