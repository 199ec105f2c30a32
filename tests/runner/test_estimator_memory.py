"""Memory in closed form: sharding stages, optimizers and offloading take what they must."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records.base import Json
from kb.catalog.hardware import find_hardware
from kb.catalog.models import find_model
from kb.catalog.parameters import count_parameters
from runner.estimator.estimate import Estimate, estimate_workload
from tests.runner.stated_workloads import make_workload

MODEL = "meta-llama/Llama-3.1-8B"
MI300X = find_hardware("mi300x")
FULL: dict[str, Json] = {"finetune_method": "full", "per_device_train_batch_size": 1}


def weights_1e9() -> float:
    model = find_model(MODEL)
    assert model is not None
    return count_parameters(model).total / 1e9


def full(gpus: int = 1, **values: Json) -> Estimate:
    return estimate_workload(make_workload(**{**FULL, **values}), MI300X, gpus, 1)


def part(found: Estimate, name: str) -> float:
    return next(one.value for one in found.memory if one.name == name)


@pytest.mark.parametrize(
    ("optimizer", "state"),
    [
        ("adamw_torch_fused", 4.0),
        ("adamw_bnb_8bit", 2.0),
        ("paged_adamw_8bit", 2.0),
        ("paged_adamw_32bit", 8.0),
        ("adafactor", 0.1),
        ("sgd", 0.0),
    ],
)
def test_states_of_optimizers(optimizer: str, state: float) -> None:
    """bf16 weights; published 10 bytes per weight are 2 + 2 + 4 and a copy by foreach."""
    found = full(optimizer=optimizer)
    assert found.job.optimizer.state_bytes == state
    assert part(found, "weights") == pytest.approx(2 * weights_1e9(), rel=0.05)


def test_foreach_step_holds_ten_bytes_per_weight() -> None:
    found = full(optimizer="adamw_torch", max_seq_len=64)
    assert found.peak_memory_gb.value == pytest.approx(10 * weights_1e9(), rel=0.05)
    fused = full(optimizer="adamw_torch_fused", max_seq_len=64)
    assert fused.peak_memory_gb.value == pytest.approx(8 * weights_1e9(), rel=0.05)


def test_stages_of_zero_split_what_they_say() -> None:
    """Fp32 master copy and states from stage 1 on, gradients from 2 on, weights from 3 on."""
    one, two, three = (full(8, deepspeed_stage=stage) for stage in (1, 2, 3))
    whole = full(8, deepspeed_stage=0)
    peaks = [found.peak_memory_gb.value for found in (whole, one, two, three)]
    assert peaks == sorted(peaks, reverse=True)
    assert part(one, "gradients") > part(two, "gradients")
    assert part(two, "weights") > 4 * part(three, "weights")


def test_offloading_leaves_the_card() -> None:
    here = full(8, deepspeed_stage=2)
    states = full(8, deepspeed_stage=2, offload_optimizer="cpu")
    assert part(states, "gradients") == 0
    assert states.peak_memory_gb.value < here.peak_memory_gb.value
    assert states.step_s.value > here.step_s.value
    three = full(8, deepspeed_stage=3, offload_optimizer="cpu")
    weights = full(8, deepspeed_stage=3, offload_optimizer="cpu", offload_param="cpu")
    assert part(weights, "weights") == 0
    assert weights.peak_memory_gb.value < three.peak_memory_gb.value
    assert weights.step_s.value > three.step_s.value
    sharded = full(8, fsdp="full_shard")
    away = full(8, fsdp="full_shard", fsdp_cpu_offload=True)
    assert away.peak_memory_gb.value < sharded.peak_memory_gb.value
    assert away.step_s.value > sharded.step_s.value
    for none in (None, "none", False):
        same = full(8, deepspeed_stage=2, offload_optimizer=none)
        assert same.peak_memory_gb == here.peak_memory_gb


@settings(max_examples=40, deadline=None)
@given(
    gpus=st.sampled_from([1, 2, 4]),
    stage=st.sampled_from([None, 1, 2, 3]),
    method=st.sampled_from(["full", "lora", "qlora"]),
    packing=st.booleans(),
    card=st.sampled_from(["mi300x", "h100-sxm"]),
)
def test_doubling_cards_never_doubles_each(
    gpus: int, stage: int | None, method: str, packing: bool, card: str
) -> None:
    """Nor does a card need more memory. Two MI300X share one link of seven, so four may be faster
    per card than two; behind a switch only a sharded optimizer step gets shorter."""
    values: dict[str, Json] = {"deepspeed_stage": stage, "packing": packing}
    values["finetune_method"] = method
    few, many = (
        estimate_workload(make_workload(**values), find_hardware(card), count, 1)
        for count in (gpus, 2 * gpus)
    )
    gain = many.tokens_per_s_per_gpu.value / few.tokens_per_s_per_gpu.value
    assert gain < 1.5
    if card == "h100-sxm":
        assert gain < (1.15 if stage else 1.0001)
    if gpus > 1 and stage:
        assert many.peak_memory_gb.value <= few.peak_memory_gb.value * 1.000001
