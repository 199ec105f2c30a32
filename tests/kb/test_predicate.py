"""The condition language: what it reads, what it refuses and where, and what unknown does."""

from __future__ import annotations

import random
from itertools import product

import pytest

from kb.match import match_rules
from kb.operations import UNKNOWN
from kb.predicate import PredicateError, parse, parse_condition, parse_template
from kb.rule import Example
from kb.situation import Situation, situate
from kb.vocabulary import FIELDS
from tests.kb.situations import make_case


def situation(**given: object) -> Situation:
    example = Example.model_validate({"framework": "trl", "hardware": "mi300x", **given})
    return situate(*make_case(example))


FILE = situation(
    fields={
        "tf32": True,
        "bf16": "auto",
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "attn_implementation": "eager",
        "lora_target_modules": ["q_proj", "lm_head"],
        "learning_rate": "1e-5",
        "env:HIP_LAUNCH_BLOCKING": "1",
        "env:VLLM_USE_V1": "1",
    },
    defaults={"quant_bits": None, "optimizer": "adamw_torch_fused"},
    keys={"tf32": "TrainingArguments.tf32"},
    versions={"transformers": "5.23.0", "rocm": "7.14"},
    fit={"no_checkpointing": 0.5},
    gpus=8,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("tf32 == true", True),
        ("tf32", None),
        ("not (tf32 == true)", False),
        ('bf16 == "auto"', True),
        ("bf16 == true", False),
        ("quant_bits == null", True),
        ("quant_bits == 4", False),
        ("quant_bits > 1", UNKNOWN),
        ("max_seq_len > 1024", UNKNOWN),
        ("not max_seq_len > 1024", UNKNOWN),
        ("max_seq_len > 1024 or tf32 == true", True),
        ("max_seq_len > 1024 and tf32 == false", False),
        ("max_seq_len > 1024 and tf32 == true", UNKNOWN),
        ("learning_rate < 1", UNKNOWN),
        ("per_device_train_batch_size * gradient_accumulation_steps == 16", True),
        ("2 + 3 * 4 == 14 and (2 + 3) * 4 == 20 and 7 // 2 == 3 and 7 % 2 == 1", True),
        ("-3 < 0 and 1 - 2 == -1", True),
        ("per_device_train_batch_size / 0 > 1", UNKNOWN),
        ('attn_implementation in ["eager", "sdpa"]', True),
        ('attn_implementation not in ["eager", null]', False),
        ("quant_bits in [4, null]", True),
        ('"lm_head" in lora_target_modules', True),
        ("version(transformers) >= 5.3", True),
        ("version(transformers) >= 5.23.1", False),
        ("version(rocm) > 7.2", True),
        ("version(trl) >= 1.0", UNKNOWN),
        ("stated(tf32) and not stated(optimizer)", True),
        ("known(optimizer) and not known(max_seq_len)", True),
        ("mentioned(tf32) and not mentioned(optimizer)", True),
        ('written(tf32, "TrainingArguments.tf32") and written(tf32, "tf32")', True),
        ('written(tf32, "f32")', False),
        ('hardware.vendor == "amd" and hardware.arch == "gfx942"', True),
        ("hardware.memory_gb > 150 and hardware.bf16", True),
        ("profile.fit.no_checkpointing.share < 0.8", True),
        ("profile.fit.unquantized.share < 0.8", UNKNOWN),
        ("surely(profile.fit.unquantized.share < 0.8)", False),
        ("gpus * nodes > 1", True),
        ('env.HIP_LAUNCH_BLOCKING == "1"', True),
        ("env.CUDA_LAUNCH_BLOCKING == null", True),
        ('sets_variable("VLLM_*") and not sets_variable("NCCL_*")', True),
        ('starts_with(optimizer, "adamw") and contains(optimizer, "torch")', True),
        ('lower("EAGER") == attn_implementation', True),
        ("largest_divisor(12, 5) == 4 and largest_divisor(7, 6) == 1", True),
        ("otherwise(lengths.p95, 100) == 100", True),
        ("pick(tf32 == true, 1, 2) == 1 and pick(false, 1, 2) == 2", True),
        ("min(3, 1, 2) == 1 and max(3, 1) == 3", True),
        ("percent(0.594) == 59 and round(2.345, 1) == 2.3", True),
    ],
)
def test_answers(text: str, answer: object) -> None:
    if answer is None:
        with pytest.raises(PredicateError, match="no condition"):
            parse_condition(text)
    else:
        assert parse_condition(text).run(FILE) is answer


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("micro_batch > 1", 1, "no field or figure is called 'micro_batch'"),
        ("tf32 == true and hardware.vender == 1", 18, "no field or figure"),
        ("tf32 = true", 6, "'=' means nothing here"),
        ("tf32 == true &&", 14, "'&' means nothing here"),
        ("regex(optimizer)", 1, "no function is called 'regex'"),
        ("min(1)", 1, "min takes 2 to 9 arguments"),
        ('min(1, "a")', 1, "min takes number, not text"),
        ('per_device_train_batch_size == "4"', 1, "number is never text"),
        ('attn_implementation > "a"', 1, "needs two numbers"),
        ('optimizer + "x" == 1', 1, "'+' needs two numbers"),
        ('compute_dtype == "bf32"', 1, "'bf32' is none of bf16, fp16, fp32, fp8"),
        ('framework in ["axolotl", "axolot"]', 1, "'axolot' is none of"),
        ('task in ["sft", 1]', 1, "text is never number"),
        ("1 < per_device_train_batch_size < 4", 33, "do not chain"),
        ("(tf32 == true", 14, "expected ')'"),
        ("tf32 == true true", 14, "unexpected 'true'"),
        ("stated(hardware.vendor)", 8, "asks about a field"),
        ('version(rocm) > "new"', 1, "'new' is no version"),
        ("tf32 == ", 9, "unexpected 'end'"),
        ("optimizer in tf32", 1, "'in' needs a list"),
        ("optimizer in [model_id]", 15, "holds literals only"),
        ("", 1, "unexpected 'end'"),
    ],
)
def test_refusals_name_the_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(PredicateError) as caught:
        parse_condition(text)
    assert reason in caught.value.reason
    assert caught.value.column == column
    assert text in str(caught.value)


def test_unknown_obeys_three_valued_logic() -> None:
    words = {True: "true", False: "false", UNKNOWN: "max_seq_len > 1"}
    for left, right in product(words, repeat=2):
        both = parse_condition(f"({words[left]}) and ({words[right]})").run(FILE)
        either = parse_condition(f"({words[left]}) or ({words[right]})").run(FILE)
        rank = {False: 0, UNKNOWN: 1, True: 2}
        assert rank[both] == min(rank[left], rank[right])
        assert rank[either] == max(rank[left], rank[right])


def test_names_are_those_read_in_their_order() -> None:
    found = parse("tf32 == true and (gradient_accumulation_steps > 1 or tf32 == false)")
    assert found.names == ("tf32", "gradient_accumulation_steps")


def test_sentences_hold_values() -> None:
    template = parse_template(
        "Micro batch {per_device_train_batch_size} of {percent(0.5)}%, {tf32}"
    )
    assert template.render(FILE) == "Micro batch 2 of 50%, true"
    with pytest.raises(PredicateError):
        parse_template("{no_such_name}")


WILD: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 4, 0.5, 10**30, "", "auto", "1e-5", "eager", "flash_attention_2",
    [], ["a"], {"a": 1}, "\u202ehf_x", "x" * 500, float("1e308"),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_no_value_of_any_field_breaks_the_rules(seed: int) -> None:
    """Uploads hold anything: the rules answer or stay silent, they never raise."""
    dice = random.Random(seed)
    names = [*FIELDS, "env:NCCL_MIN_NCHANNELS", "env:PYTORCH_CUDA_ALLOC_CONF", "env:VLLM_X"]
    example = Example(
        framework=dice.choice(["axolotl", "llamafactory", "trl", "hf"]),
        hardware=dice.choice(["mi300x", "mi355x", "h100-sxm", "rx-7900-xtx", "cpu", "t4"]),
        fields={name: dice.choice(WILD) for name in names if dice.random() < 0.7},
        fit={"no_checkpointing": 0.1, "unquantized": 0.1, "as_written": 0.1},
        versions={"transformers": dice.choice(["", "nightly", "5.23.0", "4.40"])},
        micro_batch_max=dice.choice([None, 1, 8, 512]),
        padding_efficiency=dice.choice([None, 0.1]),
        lengths=dice.choice([None, (10, 20, 30)]),
        gpus=dice.choice([1, 8]),
    )
    for finding in match_rules(*make_case(example)).findings:
        assert len(finding.evidence.text) < 250
        assert finding.edits or finding.advice
