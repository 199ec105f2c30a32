"""Searches: columns equal single projections, the largest that fits fits, the best is the best."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records.base import Json
from kb.catalog.hardware import find_hardware
from runner.estimator.best import find_best
from runner.estimator.card import capacity_gb
from runner.estimator.estimate import estimate_workload, project, project_peak
from runner.estimator.from_workload import Reading, read_job
from runner.estimator.largest import MARGIN, find_largest
from runner.estimator.neutral import neutral_edits
from runner.estimator.profile import high_gb
from runner.estimator.search import Variants, project_variants
from runner.estimator.spread import spread_of
from tests.runner.stated_workloads import make_workload


def reading_of(card: str = "h100-sxm", gpus: int = 1, **values: Json) -> Reading:
    return read_job(make_workload(**values), find_hardware(card), gpus, 1)


@settings(max_examples=25, deadline=None)
@given(
    model=st.sampled_from(["meta-llama/Llama-3.1-8B", "google/gemma-2-9b", "Qwen/Qwen3-30B-A3B"]),
    card=st.sampled_from(["mi300x", "h100-sxm", "rtx-4090"]),
    method=st.sampled_from(["full", "lora", "qlora"]),
    gpus=st.sampled_from([1, 8]),
    sharding=st.sampled_from([{}, {"fsdp": "full_shard"}, {"deepspeed_stage": 3}]),
    rows=st.lists(
        st.tuples(
            st.integers(1, 64), st.integers(1, 64), st.integers(1, 32768), st.sampled_from([0, 1])
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_columns_are_single_projections(
    model: str,
    card: str,
    method: str,
    gpus: int,
    sharding: dict[str, Json],
    rows: list[tuple[int, int, int, int]],
) -> None:
    reading = reading_of(card, gpus, model_id=model, finetune_method=method, **sharding)
    micro, accumulation, length, recomputed = (
        numpy.array(column, dtype=float) for column in zip(*rows, strict=True)
    )
    found = project_variants(
        reading.job,
        Variants(micro, accumulation, length, length, numpy.ones_like(micro), recomputed),
    )
    for place, (batch, steps, tokens, share) in enumerate(rows):
        job = replace(
            reading.job, micro_batch=batch, accumulation=steps, length=tokens, longest=tokens,
            real=1.0, checkpointing=float(share),
        )  # fmt: skip
        one = project(job)
        assert found.step_s[place] == pytest.approx(float(one.seconds.total))
        assert found.peak_gb[place] == pytest.approx(float(one.peak.total))
        assert found.high_gb[place] == pytest.approx(high_gb(one))


@pytest.mark.parametrize("card", ["h100-sxm", "mi300x", "rtx-4090"])
@pytest.mark.parametrize("values", [{}, {"packing": True}, {"finetune_method": "qlora"}])
def test_largest_is_the_last_that_fits(card: str, values: dict[str, Json]) -> None:
    reading = reading_of(card, model_id="Qwen/Qwen2.5-1.5B", **values)
    job, hardware = reading.job, find_hardware(card)
    found = find_largest(job, 4, variable=reading.variable)
    assert found is not None
    allowed = MARGIN * float(capacity_gb(hardware) or 0)
    allowed /= math.exp(spread_of(job, variable=reading.variable).memory)
    assert project_peak(replace(job, micro_batch=found.micro_batch)) <= allowed
    assert project_peak(replace(job, micro_batch=found.micro_batch + 1)) > allowed
    assert project_peak(replace(job, longest=found.sequence)) <= allowed
    if found.sequence < (job.model.max or 0):
        assert project_peak(replace(job, longest=found.sequence + 1)) > allowed
    assert (found.margin, found.capacity_gb) == (MARGIN, hardware.memory_gb)


def test_nothing_fits_and_no_capacity() -> None:
    large = reading_of("rtx-4090", model_id="meta-llama/Llama-3.1-70B")
    none = find_largest(large.job, 4)
    assert none is not None
    assert (none.micro_batch, none.sequence) == (0, 0)
    assert find_largest(reading_of("cpu").job, 4) is None
    workload = make_workload(model_id="meta-llama/Llama-3.1-70B")
    assert find_best(workload, find_hardware("rtx-4090"), 1, 1) is None


def test_pairs_count_as_one_sample_of_the_file() -> None:
    plain, paired = reading_of(), reading_of(task="orpo")
    one, two = find_largest(plain.job, 4), find_largest(paired.job, 4)
    assert one is not None
    assert two is not None
    assert two.micro_batch == one.micro_batch // 2


@pytest.mark.parametrize(
    ("card", "values"),
    [
        ("h100-sxm", {}),
        ("mi300x", {"finetune_method": "qlora", "quant_bits": 4}),
        ("rtx-4090", {"model_id": "Qwen/Qwen2.5-1.5B"}),
        ("h100-sxm", {"gradient_checkpointing": "selective", "packing": True}),
    ],
)
def test_best_is_no_worse_than_any_neighbour(card: str, values: dict[str, Json]) -> None:
    """Every size that divides the product, projected one by one."""
    workload, hardware = make_workload(**values), find_hardware(card)
    best = find_best(workload, hardware, 1, 1)
    assert best is not None
    assert best.micro_batch * best.accumulation == 16
    changed: dict[str, Json] = {"per_device_train_batch_size": best.micro_batch}
    changed |= {"gradient_accumulation_steps": best.accumulation}
    changed |= {"gradient_checkpointing": best.checkpointing}
    chosen = estimate_workload(workload.with_values(changed), hardware, 1, 1)
    written = estimate_workload(workload, hardware, 1, 1)
    ratio = chosen.tokens_per_s.value / written.tokens_per_s.value
    assert best.speedup.value == pytest.approx(ratio)
    assert best.high_gb <= MARGIN * float(hardware.memory_gb or 0)
    assert best.high_gb == pytest.approx(chosen.peak_memory_gb.high)
    for size in (1, 2, 4, 8, 16):
        for recomputed in (False, True):
            other = estimate_workload(
                workload.with_values(
                    {
                        "per_device_train_batch_size": size,
                        "gradient_accumulation_steps": 16 // size,
                        "gradient_checkpointing": recomputed,
                    }
                ),
                hardware,
                1,
                1,
            )
            if other.peak_memory_gb.high <= MARGIN * float(hardware.memory_gb or 0):
                assert other.tokens_per_s.value * 0.99 <= chosen.tokens_per_s.value


def test_a_huge_product_is_searched_too() -> None:
    workload = make_workload(gradient_accumulation_steps=720_720)
    best = find_best(workload, find_hardware("mi300x"), 1, 1)
    assert best is not None
    assert best.micro_batch * best.accumulation == 4 * 720_720
    assert best.tried > 200


@pytest.mark.parametrize(
    ("gpus", "values", "edits"),
    [
        (8, {"deepspeed_stage": 3}, {"deepspeed_stage": 2}),
        (8, {"deepspeed_stage": 3, "offload_param": "cpu"}, {"deepspeed_stage": 2}),
        (1, {"attn_implementation": "flash_attention_2"}, {"padding_free": True}),
        (1, {"pad_to_max_length": True}, {"pad_to_max_length": False}),
    ],
)
def test_other_neutral_knobs_are_searched(
    gpus: int, values: dict[str, Json], edits: dict[str, Json]
) -> None:
    """On a card with room to spare the cheapest mode wins, and the edits bring what is said."""
    workload, card = make_workload(gradient_checkpointing=False, **values), find_hardware("mi300x")
    best = find_best(workload, card, gpus, 1)
    assert best is not None
    assert edits.items() <= best.changes.items()
    chosen = estimate_workload(workload.with_values(best.changes), card, gpus, 1)
    written = estimate_workload(workload, card, gpus, 1)
    ratio = chosen.tokens_per_s.value / written.tokens_per_s.value
    assert best.speedup.value == pytest.approx(ratio)
    assert best.high_gb == pytest.approx(chosen.peak_memory_gb.high)


def test_only_edits_of_the_same_maths_are_listed() -> None:
    plain = list(neutral_edits(make_workload(gradient_checkpointing=True), 8))
    assert plain == [{}, {"gradient_checkpointing": False}]
    packed = make_workload(packing=True, attn_implementation="flash_attention_2")
    assert all("padding_free" not in edit for edit in neutral_edits(packed, 8))
    alone = make_workload(deepspeed_stage=2, offload_optimizer="cpu")
    assert all(set(edit) <= {"gradient_checkpointing"} for edit in neutral_edits(alone, 1))
    away = make_workload(deepspeed_stage=3, offload_param="cpu")
    stages = [edit for edit in neutral_edits(away, 8) if edit.get("deepspeed_stage")]
    assert stages
    assert all(edit["offload_param"] == "none" for edit in stages)
    mode = make_workload(gradient_checkpointing="selective")
    assert {"gradient_checkpointing": True} in list(neutral_edits(mode, 1))


def test_a_file_that_is_the_best_already_has_no_changes() -> None:
    workload = make_workload(
        per_device_train_batch_size=8,
        gradient_accumulation_steps=1,
        gradient_checkpointing=False,
        packing=True,
    )
    best = find_best(workload, find_hardware("mi300x"), 1, 1)
    assert best is not None
    assert best.changes == {}
    assert best.speedup.value == pytest.approx(1)
