"""What holds for any workload: monotone memory and speed, consistent units, deterministic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records.base import Json
from kb.catalog.hardware import find_hardware
from runner.estimator.estimate import Estimate, estimate_workload
from runner.estimator.flops import model_flops
from tests.runner.stated_workloads import make_workload

MODELS = st.sampled_from(
    ["Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.1-8B", "mistralai/Mixtral-8x7B-v0.1", "gpt2"]
)
CARDS = st.sampled_from(["mi300x", "mi250x", "h100-sxm", "a100-80gb", "rtx-4090", "b200"])
METHODS = st.sampled_from(["full", "lora", "qlora"])
RECIPES = st.fixed_dictionaries(
    {
        "model_id": MODELS,
        "finetune_method": METHODS,
        "per_device_train_batch_size": st.sampled_from([1, 2, 4, 16]),
        "gradient_accumulation_steps": st.sampled_from([1, 2, 8]),
        "max_seq_len": st.sampled_from([256, 1024, 4096]),
        "packing": st.booleans(),
        "gradient_checkpointing": st.booleans(),
        "liger": st.booleans(),
        "torch_compile": st.booleans(),
        "optimizer": st.sampled_from(["adamw_torch", "adamw_torch_fused", "paged_adamw_8bit"]),
        "attn_implementation": st.sampled_from(["sdpa", "eager", "flash_attention_2"]),
    }
)


def projected(recipe: dict[str, Json], card: str, gpus: int = 1, **changed: Json) -> Estimate:
    values = {**recipe, **changed}
    if values["finetune_method"] == "qlora":
        values.setdefault("quant_bits", 4)
    return estimate_workload(make_workload(**values), find_hardware(card), gpus, 1)


@settings(max_examples=60, deadline=None)
@given(recipe=RECIPES, card=CARDS)
def test_memory_grows_with_the_batch(recipe: dict[str, Json], card: str) -> None:
    small = projected(recipe, card)
    large = projected(
        recipe, card, per_device_train_batch_size=2 * int(recipe["per_device_train_batch_size"])
    )
    assert large.peak_memory_gb.value >= small.peak_memory_gb.value * 0.999999
    assert large.step_s.value > small.step_s.value


@settings(max_examples=60, deadline=None)
@given(recipe=RECIPES, card=CARDS)
def test_checkpointing_saves_memory_and_costs_time(recipe: dict[str, Json], card: str) -> None:
    without = projected(recipe, card, gradient_checkpointing=False)
    with_it = projected(recipe, card, gradient_checkpointing=True)
    assert with_it.peak_memory_gb.value <= without.peak_memory_gb.value * 1.000001
    assert with_it.step_s.value > without.step_s.value


@settings(max_examples=60, deadline=None)
@given(recipe=RECIPES, card=CARDS)
def test_fp32_is_never_faster_nor_smaller(recipe: dict[str, Json], card: str) -> None:
    half = projected(recipe, card)
    full = projected(recipe, card, compute_dtype="fp32", model_load_dtype="fp32")
    assert full.step_s.value > half.step_s.value
    assert full.peak_memory_gb.value >= half.peak_memory_gb.value


@settings(max_examples=40, deadline=None)
@given(recipe=RECIPES, card=CARDS)
def test_switches_never_slow_a_step(recipe: dict[str, Json], card: str) -> None:
    plain = projected(recipe, card, liger=False, torch_compile=False, attn_implementation="eager")
    for changed in ({"liger": True}, {"torch_compile": True}, {"attn_implementation": "sdpa"}):
        other: dict[str, Json] = {"liger": False, "torch_compile": False}
        other |= {"attn_implementation": "eager"} | changed
        assert projected(recipe, card, **other).step_s.value <= plain.step_s.value


@settings(max_examples=40, deadline=None)
@given(recipe=RECIPES, card=CARDS, gpus=st.sampled_from([1, 2, 8]))
def test_units_agree(recipe: dict[str, Json], card: str, gpus: int) -> None:
    found = projected(recipe, card, gpus)
    job = found.job
    each = found.tokens_per_s_per_gpu.value
    assert found.tokens_per_s.value == pytest.approx(each * gpus)
    assert found.tokens_per_s.value * found.step_s.value == pytest.approx(
        job.step_tokens * found.padding_efficiency
    )
    samples = job.micro_batch * job.accumulation * job.layout.replicas
    assert found.samples_per_s.value * found.step_s.value == pytest.approx(samples)
    assert sum(part.value for part in found.breakdown) == pytest.approx(found.step_s.value)
    assert sum(part.value for part in found.memory) == pytest.approx(found.peak_memory_gb.value)
    assert all(part.value >= 0 for part in (*found.breakdown, *found.memory))
    assert found.mfu is not None
    rate = model_flops(job.model, job.covered, trained=job.trained) * each
    peak = job.hardware.peak_tflops["bf16"]
    assert peak is not None
    assert found.mfu.value == pytest.approx(rate / (peak * 1e12))
    assert 0 < found.mfu.value < 0.75
    for one in (found.step_s, found.peak_memory_gb, found.tokens_per_s):
        assert one.low < one.value < one.high


@settings(max_examples=20, deadline=None)
@given(recipe=RECIPES, card=CARDS)
def test_same_input_same_output(recipe: dict[str, Json], card: str) -> None:
    one, two = projected(recipe, card), projected(recipe, card)
    assert one.step_s == two.step_s
    assert one.peak_memory_gb == two.peak_memory_gb
    assert (one.breakdown, one.memory) == (two.breakdown, two.memory)


@settings(max_examples=30, deadline=None)
@given(recipe=RECIPES, card=CARDS)
def test_sharding_saves_memory(recipe: dict[str, Json], card: str) -> None:
    alone = projected(recipe, card, 8)
    split = projected({**recipe, "finetune_method": "full"}, card, 8, fsdp="full_shard")
    whole = projected({**recipe, "finetune_method": "full"}, card, 8)
    assert split.memory[0].value < whole.memory[0].value
    assert alone.tokens_per_s.value == pytest.approx(8 * alone.tokens_per_s_per_gpu.value)
