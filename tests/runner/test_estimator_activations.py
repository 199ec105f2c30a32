"""What a layer keeps, in closed form, and the moments at which a peak can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.records.base import Json
from kb.catalog.hardware import find_hardware
from runner.estimator.activations import layer_bytes, score_bytes
from runner.estimator.estimate import estimate_workload
from runner.estimator.footprint import measure_footprint
from runner.estimator.job import Job
from tests.runner.stated_workloads import make_workload

H100 = find_hardware("h100-sxm")
HIDDEN, INNER, QUERY, NARROW = 4096, 14336, 4096, 1024
"""Llama-3.1-8B."""


def job_of(gpus: int = 1, **values: Json) -> Job:
    return estimate_workload(make_workload(**values), H100, gpus, 1).job


def test_a_trained_layer_keeps_every_input() -> None:
    job = job_of(finetune_method="full")
    norms = 2 * (4 + 2) * HIDDEN
    attention = 2 * (2 * QUERY + 2 * NARROW) + 2 * HIDDEN
    inner = 2 * (3 * INNER + INNER + HIDDEN)  # gate, its activation, up; the product; the input
    assert layer_bytes(job, 2) == norms + attention + inner


def test_frozen_weights_and_fused_kernels_keep_less() -> None:
    full, lora = job_of(finetune_method="full"), job_of(finetune_method="lora")
    assert lora.adapter is not None
    adapted = 2 * lora.adapter.inputs  # a cast copy of the input of each adapted module
    assert layer_bytes(full, 2) - layer_bytes(lora, 2) == 2 * (2 * HIDDEN + INNER) - adapted
    fused = replace(full, fused_kernels=True)
    assert layer_bytes(full, 2) - layer_bytes(fused, 2) == 2 * 4 * HIDDEN + 2 * INNER
    older = replace(lora, keeps_inputs=True)
    assert layer_bytes(older, 2) > layer_bytes(lora, 2)


def test_only_eager_attention_keeps_scores() -> None:
    job = job_of()
    assert score_bytes(job, 2) == 0
    eager = replace(job, eager_attention=True)
    assert score_bytes(eager, 2) == 7 * 32 * job.longest


def test_fsdp_sums_whole_gradients_between_micro_batches() -> None:
    values: dict[str, Json] = {"finetune_method": "full", "fsdp": "full_shard"}
    one = measure_footprint(job_of(4, gradient_accumulation_steps=1, **values))
    many = measure_footprint(job_of(4, gradient_accumulation_steps=8, **values))
    assert one.summed == 0
    assert many.summed == pytest.approx(3 * many.gradients)
    assert measure_footprint(job_of(4, deepspeed_stage=3, finetune_method="full")).summed == 0


def test_adapters_under_fsdp_hold_gradients_of_block_inputs() -> None:
    values: dict[str, Json] = {"finetune_method": "lora", "gradient_checkpointing": True}
    sharded = measure_footprint(job_of(4, fsdp="full_shard", **values))
    assert sharded.returned == sharded.inputs > 0
    assert measure_footprint(job_of(1, **values)).returned == 0
    assert measure_footprint(job_of(4, deepspeed_stage=3, **values)).returned == 0


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("micro", [1, 32])
def test_parts_add_up_at_every_moment(method: str, checkpointing: bool, micro: int) -> None:
    workload = make_workload(
        finetune_method=method,
        gradient_checkpointing=checkpointing,
        per_device_train_batch_size=micro,
    )
    for gpus in (1, 8):
        found = estimate_workload(workload, H100, gpus, 1)
        assert all(part.value >= 0 for part in found.memory)
        assert sum(part.value for part in found.memory) == pytest.approx(found.peak_memory_gb.value)
