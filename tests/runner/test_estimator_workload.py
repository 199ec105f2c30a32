"""A user's file becomes a job: what is asked for, what is assumed, what each field changes."""

from __future__ import annotations

import pytest

from audit.records.base import Json
from audit.records.errors import MissingFacts
from kb.catalog.hardware import find_hardware
from runner.estimator.estimate import Estimate, estimate_workload
from runner.estimator.from_workload import read_job
from runner.estimator.job import Job
from tests.runner.stated_workloads import make_workload

MI300X = find_hardware("mi300x")


def job_of(gpus: int = 1, nodes: int = 1, framework: str = "trl", **values: Json) -> Job:
    return read_job(make_workload(framework=framework, **values), MI300X, gpus, nodes).job


def estimate_of(card: str = "mi300x", **values: Json) -> Estimate:
    return estimate_workload(make_workload(**values), find_hardware(card), 1, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_id", None),
        ("model_id", "acme/unheard-of-9b"),
        ("per_device_train_batch_size", None),
        ("per_device_train_batch_size", ...),
        ("gradient_accumulation_steps", ...),
        ("packing", ...),
        ("gradient_checkpointing", ...),
        ("compute_dtype", None),
        ("optimizer", ...),
        ("task", "grpo"),
        ("finetune_method", "oft"),
    ],
)
def test_asks_for_what_decides(field: str, value: Json) -> None:
    with pytest.raises(MissingFacts) as caught:
        estimate_of(**{field: value})
    assert field in caught.value.missing


def test_unknown_model_is_named() -> None:
    with pytest.raises(MissingFacts, match='"acme/unheard-of-9b" is not in the catalogue'):
        estimate_of(model_id="acme/unheard-of-9b")


def test_packing_needs_a_row_length() -> None:
    with pytest.raises(MissingFacts, match="max_seq_len"):
        estimate_of(packing=True, max_seq_len=None)


def test_every_assumption_is_told() -> None:
    found = estimate_workload(
        make_workload(lengths=None, model_id="me/llama-2-7b-mine", optimizer="shampoo"),
        find_hardware("strix-halo"),
        1,
        1,
    )
    told = " ".join(found.assumptions)
    for part in ("no lengths stated", "taken as meta-llama/Llama-2-7b-hf", "shampoo", "no source"):
        assert part in told
    stated = estimate_workload(make_workload(), find_hardware("h100-sxm"), 1, 1)
    assert stated.assumptions == ()


def test_assumed_lengths_widen_the_interval() -> None:
    stated = estimate_of(per_device_train_batch_size=16)
    assumed = estimate_workload(
        make_workload(lengths=None, per_device_train_batch_size=16), MI300X, 1, 1
    )
    width = [one.tokens_per_s.high / one.tokens_per_s.value for one in (stated, assumed)]
    assert width[1] > width[0]


def test_thin_evidence_widens_the_interval() -> None:
    """Rows like this one exist for the A100; none for the MI300X; none at all for the 7900 XTX."""
    wide = [
        estimate_of(card, packing=True, per_device_train_batch_size=8).step_s
        for card in ("a100-80gb", "mi300x", "rx-7900-xtx")
    ]
    factors = [one.high / one.value for one in wide]
    assert factors[0] < factors[1] < factors[2]


def test_weights_follow_the_recipe() -> None:
    pure = job_of(finetune_method="full")
    assert (pure.weight_bytes, pure.gradient_bytes, pure.optimizer.state_bytes) == (2, 2, 4)
    autocast = job_of(finetune_method="full", model_load_dtype="fp32", optimizer="adamw_torch")
    assert (autocast.weight_bytes, autocast.cast_bytes) == (4, 2)
    assert (autocast.optimizer.state_bytes, autocast.optimizer.temporary) == (8, True)
    master = job_of(8, finetune_method="full", deepspeed_stage=3)
    assert (master.weight_bytes, master.master_bytes) == (2, 4)
    assert (master.stack, master.layout.sharding) == ("deepspeed", "zero3")
    upcast = job_of(8, finetune_method="full", fsdp="full_shard auto_wrap")
    assert (upcast.weight_bytes, upcast.layout.sharding) == (4, "fsdp")


def test_a_full_fine_tune_in_bf16_peaks_at_ten_bytes_per_weight() -> None:
    """2 weights, 2 gradients, 4 states, 2 foreach copy: published as 72.4 GB for Mistral 7B."""
    found = estimate_of(
        model_id="mistralai/Mistral-7B-v0.1", finetune_method="full", optimizer="adamw_torch"
    )
    assert found.peak_memory_gb.value == pytest.approx(72.4, rel=0.03)


def test_four_bits_hold_less_and_cost_time() -> None:
    plain, packed = estimate_of(), estimate_of(finetune_method="qlora", quant_bits=4)
    assert packed.memory[0].value < 0.6 * plain.memory[0].value
    assert packed.step_s.value > plain.step_s.value
    assert {part.name: part.value for part in packed.breakdown}["dequantize"] > 0


def test_packing_removes_padding() -> None:
    padded, packed = estimate_of(), estimate_of(packing=True)
    assert padded.padding_efficiency < 0.7
    assert packed.padding_efficiency > 0.95
    assert packed.tokens_per_s.value > 1.3 * padded.tokens_per_s.value
    full = estimate_of(pad_to_max_length=True)
    assert full.padding_efficiency < padded.padding_efficiency
    free = estimate_of(padding_free=True)
    assert free.padding_efficiency == 1.0


def test_isolated_rows_attend_less() -> None:
    isolated = job_of(framework="llamafactory", packing=True, padding_free=True)
    mixed = job_of(framework="llamafactory", packing=True)
    assert 0 < isolated.covered < mixed.covered == 2048


def test_cards_in_turn() -> None:
    """device_map auto: eight cards do the work of one."""
    one = estimate_of()
    spread = estimate_workload(make_workload(device_map="auto"), MI300X, 8, 1)
    assert spread.tokens_per_s.value == pytest.approx(one.tokens_per_s.value, rel=0.2)
    assert spread.peak_memory_gb.value < one.peak_memory_gb.value


def test_preference_pairs_cost_twice() -> None:
    sft, dpo = estimate_of(), estimate_of(task="dpo")
    assert 1.6 < dpo.step_s.value / sft.step_s.value < 2.4


def test_loader_workers_are_neutral() -> None:
    """No source gives a figure for loader workers, so none is projected."""
    none, many = estimate_of(dataloader_num_workers=0), estimate_of(dataloader_num_workers=8)
    assert none.step_s == many.step_s


def test_old_cards_lack_bf16() -> None:
    bf16 = estimate_of("v100")
    fp16 = estimate_of("v100", compute_dtype="fp16", model_load_dtype="fp16")
    assert bf16.step_s.value > 3 * fp16.step_s.value
    assert any("no bf16" in sentence for sentence in bf16.assumptions)
