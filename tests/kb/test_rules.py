"""Every rule fires on its one workload, stays silent on the other, and keeps what it promises."""

from __future__ import annotations

import pytest

from audit.records.finding import SEVERITIES, FieldEdit
from kb.match import Matches, match_rules
from kb.rule import Example, Rule
from kb.rulebook import load_rules
from tests.kb.situations import make_case

RULES = load_rules()
IDS = [rule.id for rule in RULES]
BATCH = ("per_device_train_batch_size", "gradient_accumulation_steps")


def matched(example: Example) -> Matches:
    return match_rules(*make_case(example))


def fired(matches: Matches) -> set[str]:
    return {finding.rule_id for finding in matches.findings}


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_fires_on_its_example(rule: Rule) -> None:
    matches = matched(rule.fires_on)
    found = next((f for f in matches.findings if f.rule_id == rule.id), None)
    assert found is not None, f"fired instead: {fired(matches)}"
    assert found.edits or found.advice
    assert found.sources
    assert all(source.url and source.as_of for source in found.sources)
    assert found.evidence.text
    for text in (found.title, found.why, found.advice or ""):
        assert not any(left in text for left in ("not known", "{", "$"))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_stays_silent_on_the_other(rule: Rule) -> None:
    assert rule.id not in fired(matched(rule.not_on))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.edits], ids=str)
def test_never_fires_again_on_its_own_cure(rule: Rule) -> None:
    """After the edits, neither the condition nor the edit is left: no rule loops."""
    case = make_case(rule.fires_on)
    finding = next(f for f in match_rules(*case).findings if f.rule_id == rule.id)
    values = {edit.field: None if edit.remove else edit.value for edit in finding.edits}
    if "bf16" in values and "compute_dtype" in case.workload.fields:
        values["compute_dtype"] = "bf16" if values["bf16"] else "fp32"
    planned = case.workload.with_values(values)
    gone = {edit.field for edit in finding.edits if edit.remove}
    read_again = planned.model_copy(
        update={"fields": {k: v for k, v in planned.fields.items() if k not in gone}}
    )
    for cured in (planned, read_again):
        assert rule.id not in fired(match_rules(cured, case.profile, case.hardware))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_keeps_the_effective_batch(rule: Rule) -> None:
    """Neutral and numerics edits, and here dynamics ones too: micro batch x accumulation stays."""
    workload, profile, card = make_case(rule.fires_on)
    finding = next(f for f in match_rules(workload, profile, card).findings if f.rule_id == rule.id)
    edited = workload.with_values({edit.field: edit.value for edit in finding.edits})
    if not {edit.field for edit in finding.edits} & set(BATCH):
        return
    before = [workload.value(name, 1) for name in BATCH]
    after = [edited.value(name, 1) for name in BATCH]
    assert before[0] * before[1] == after[0] * after[1]
    assert all(isinstance(value, int) and value >= 1 for value in after)


def test_ids_are_unique_and_belong_to_their_topic() -> None:
    assert len(set(IDS)) == len(IDS) >= 15


def test_one_gpu_never_hears_of_collectives() -> None:
    for rule in RULES:
        if not rule.multi_gpu:
            continue
        alone = rule.fires_on.model_copy(update={"gpus": 1, "nodes": 1})
        matches = matched(alone)
        assert rule.id not in fired(matches)
        assert rule.id not in {check.rule_id for check in matches.checked}
    assert any(rule.multi_gpu for rule in RULES)


def test_findings_stand_in_report_order() -> None:
    example = Example(
        framework="axolotl",
        hardware="mi300x",
        fields={
            "task": "sft",
            "tf32": True,
            "bf16": "auto",
            "attn_implementation": "eager",
            "optimizer": "paged_adamw_8bit",
            "finetune_method": "qlora",
            "quant_bits": 4,
            "gradient_checkpointing": True,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 8,
            "max_seq_len": 2048,
            "model_id": "meta-llama/Llama-3.1-8B",
        },
        fit={
            "as_written": 0.1,
            "no_checkpointing": 0.2,
            "unquantized": 0.2,
            "unfused_optimizer": 0.1,
        },
        micro_batch_max=8,
    )
    findings = matched(example).findings
    ranks = [SEVERITIES.index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)
    assert [finding.id for finding in findings] == [f"f_{n + 1}" for n in range(len(findings))]
    assert fired(matched(example)) == {
        "precision.tf32_on_rocm",
        "attention.eager",
        "memory.checkpointing_not_needed",
        "quant.not_needed_to_fit",
        "batch.micro_batch_too_small",
        "optim.eight_bit_for_lora",
    }
    assert findings[0].rule_id == "precision.tf32_on_rocm"
    assert findings[0].evidence.line == 2
    assert findings[0].evidence.text == "tf32: true"
    micro = next(f for f in findings if f.rule_id == "batch.micro_batch_too_small")
    assert micro.edits == (
        FieldEdit(field="per_device_train_batch_size", value=4),
        FieldEdit(field="gradient_accumulation_steps", value=2),
    )


def test_nothing_is_claimed_about_what_is_not_known() -> None:
    """A workload that says nothing gets no finding, and no check of a field it lacks."""
    for framework in ("axolotl", "llamafactory", "trl", "hf"):
        matches = matched(Example(framework=framework, hardware="mi300x"))
        assert matches.findings == ()
        assert "precision.tf32_on_rocm" not in {check.rule_id for check in matches.checked}


def test_a_framework_without_rules_gets_neither_findings_nor_checks() -> None:
    matches = matched(Example(framework="ms-swift", hardware="mi300x", fields={"tf32": True}))
    assert matches == Matches((), ())
