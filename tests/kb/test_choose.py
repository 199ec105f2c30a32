"""The chosen set is consistent whatever fired, and every other finding has its reason."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from audit.records.finding import DEFAULT_INCLUDE, FieldEdit, Finding, Semantics
from kb.choose import Choice, choose_findings
from kb.match import match_rules
from kb.rulebook import load_rules
from tests.kb.situations import make_case

RULES = {rule.id: rule for rule in load_rules()}
SEMANTICS: tuple[Semantics, ...] = get_args(Semantics)


def pool() -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for rule in RULES.values():
        for finding in match_rules(*make_case(rule.fires_on)).findings:
            found.setdefault(finding.rule_id, finding)
    return found


POOL = pool()


def pick(*rule_ids: str) -> tuple[Finding, ...]:
    return tuple(
        POOL[rule_id].model_copy(update={"id": f"f_{number}"})
        for number, rule_id in enumerate(rule_ids, start=1)
    )


def chosen(choices: tuple[Choice, ...]) -> set[str]:
    return {choice.finding.rule_id for choice in choices if choice.chosen}


def reason_of(choices: tuple[Choice, ...], rule_id: str) -> str:
    return next(choice.reason for choice in choices if choice.finding.rule_id == rule_id)


def test_every_rule_gave_a_finding() -> None:
    assert set(POOL) == set(RULES)


@pytest.mark.parametrize("seed", range(200))
def test_random_sets_are_consistent(seed: int) -> None:
    dice = random.Random(seed)
    findings = pick(*dice.sample(sorted(POOL), dice.randint(0, len(POOL))))
    include = frozenset(dice.sample(SEMANTICS, dice.randint(1, 3)))
    fields = sorted({edit.field for finding in findings for edit in finding.edits})
    keep = frozenset(dice.sample(fields, min(len(fields), dice.randint(0, 2))))
    choices = choose_findings(findings, include, keep)

    assert sorted(c.finding.id for c in choices) == sorted(f.id for f in findings)
    assert all(choice.reason for choice in choices)
    assert choices == choose_findings(findings, include, keep)
    fired, taken = {f.rule_id for f in findings}, chosen(choices)
    values: dict[str, FieldEdit] = {}
    for choice in choices:
        if not choice.chosen:
            continue
        rule = RULES[choice.finding.rule_id]
        assert choice.finding.semantics in include
        assert set(rule.requires) & fired <= taken
        assert not taken & set(rule.excludes)
        for edit in choice.finding.edits:
            assert edit.field not in keep
            assert values.setdefault(edit.field, edit) == edit


def test_fatal_findings_are_applied_first_then_by_order() -> None:
    findings = pick(
        "batch.micro_batch_too_small",
        "memory.checkpointing_not_needed",
        "quant.not_needed_to_fit",
        "precision.tf32_on_rocm",
    )
    assert [choice.finding.rule_id for choice in choose_findings(findings)] == [
        "precision.tf32_on_rocm",
        "quant.not_needed_to_fit",
        "memory.checkpointing_not_needed",
        "batch.micro_batch_too_small",
    ]


def test_what_changes_training_is_offered() -> None:
    findings = pick("correct.packing_mixes_documents")
    offered = choose_findings(findings)
    assert chosen(offered) == set()
    assert "offered" in offered[0].reason
    included = choose_findings(findings, DEFAULT_INCLUDE | {"dynamics"})
    assert chosen(included) == {"correct.packing_mixes_documents"}


def test_a_kept_field_stays_and_says_so() -> None:
    findings = pick("attention.eager", "memory.checkpointing_not_needed")
    choices = choose_findings(findings, keep=frozenset({"attn_implementation"}))
    assert chosen(choices) == {"memory.checkpointing_not_needed"}
    assert reason_of(choices, "attention.eager") == "You asked to keep attn_implementation"


def test_advice_is_never_chosen() -> None:
    choices = choose_findings(pick("correct.pad_is_eos"), DEFAULT_INCLUDE | {"dynamics"})
    assert chosen(choices) == set()
    assert choices[0].reason.startswith("Advice only")


def test_superseded_only_where_the_other_is_followed_and_sets_its_fields() -> None:
    packing = POOL["data.padding_waste"]
    findings = pick("attention.eager", "data.padding_waste")
    assert chosen(choose_findings(findings)) == {"attention.eager"}
    assert not any(edit.field == "attn_implementation" for edit in packing.edits)
    both = choose_findings(findings, DEFAULT_INCLUDE | {"dynamics"})
    assert chosen(both) == {"attention.eager", "data.padding_waste"}

    kernel = FieldEdit(field="attn_implementation", value="flash_attention_2")
    wider = findings[1].model_copy(update={"edits": (*packing.edits, kernel)})
    findings = (findings[0], wider)
    both = choose_findings(findings, DEFAULT_INCLUDE | {"dynamics"})
    assert chosen(both) == {"data.padding_waste"}
    assert reason_of(both, "attention.eager").startswith("Nothing is left to cure")


def test_required_finding_that_is_kept_takes_the_other_along() -> None:
    findings = pick("memory.lora_base_in_fp32", "precision.fp32_compute")
    assert len(chosen(choose_findings(findings))) == 2
    choices = choose_findings(findings, keep=frozenset({"bf16"}))
    assert chosen(choices) == set()
    assert reason_of(choices, "memory.lora_base_in_fp32").startswith("Needs this")


def test_exclusion_holds_in_both_directions() -> None:
    rules = ["parallel.device_map_auto", "batch.micro_batch_too_small"]
    for order in (rules, rules[::-1]):
        choices = choose_findings(pick(*order), DEFAULT_INCLUDE | {"dynamics"})
        assert chosen(choices) == {order[0]}
        assert reason_of(choices, order[1]).startswith("Cannot be followed together")
