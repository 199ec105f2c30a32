"""The profile stage: parts add up, variants are those that differ, missing facts are named."""

from __future__ import annotations

import pytest

from audit.records.base import Json
from audit.records.profile import Profile
from kb.catalog.hardware import find_hardware
from runner.estimator.estimate import estimate_workload
from runner.estimator.profile import MARGIN, profile_workload
from tests.runner.stated_workloads import make_workload


def profile_of(card: str = "mi300x", gpus: int = 1, **values: Json) -> Profile:
    return profile_workload(make_workload(**values), find_hardware(card), gpus, 1)


def test_parts_add_up() -> None:
    found = profile_of(finetune_method="qlora", quant_bits=4)
    assert found.step_s is not None
    assert sum(part.value for part in found.breakdown) == pytest.approx(found.step_s.value)
    names = ["gemm", "attention", "elementwise", "loss", "dequantize", "launch"]
    assert [part.name for part in found.breakdown] == [
        *names, "communication", "optimizer", "data",
    ]  # fmt: skip
    assert [part.name for part in found.memory] == [
        "weights", "gradients", "optimizer", "activations", "logits", "other",
    ]  # fmt: skip
    peak = sum(part.value for part in found.memory)
    assert found.fit["as_written"].peak_gb == pytest.approx(peak)
    assert found.provenance == "projected"


def test_profile_and_estimate_agree() -> None:
    workload, card = make_workload(), find_hardware("a100-80gb")
    found, estimate = (
        profile_workload(workload, card, 1, 1),
        estimate_workload(workload, card, 1, 1),
    )
    assert found.step_s == estimate.step_s
    assert found.padding_efficiency == estimate.padding_efficiency
    assert found.fit["as_written"].high_gb == pytest.approx(estimate.peak_memory_gb.high)


def test_variants_that_change_nothing_are_absent() -> None:
    plain = profile_of(gradient_checkpointing=False, optimizer="adamw_torch")
    assert set(plain.fit) == {"as_written", "double_micro_batch"}
    full = profile_of(finetune_method="qlora", quant_bits=4, optimizer="paged_adamw_8bit")
    assert set(full.fit) == {
        "as_written", "no_checkpointing", "unquantized", "unquantized_no_checkpointing",
        "unfused_optimizer", "double_micro_batch",
    }  # fmt: skip
    written = full.fit["as_written"]
    assert all(one.peak_gb >= written.peak_gb for one in full.fit.values())
    both = full.fit["unquantized_no_checkpointing"].peak_gb
    assert both > full.fit["unquantized"].peak_gb
    assert both > full.fit["no_checkpointing"].peak_gb


def test_share_is_of_the_cards_memory() -> None:
    small, large = profile_of("rtx-4090"), profile_of("mi300x")
    one = small.fit["as_written"]
    assert one.share == pytest.approx(one.high_gb / 24)
    assert one.share > 1
    assert large.fit["as_written"].share < 0.5


@pytest.mark.parametrize(
    ("micro", "accumulation", "largest"),
    [(1, 1, 1), (1, 4, 4), (2, 3, 2), (1, 6, 2), (3, 4, 12), (4, 16, 64)],
)
def test_micro_batch_keeps_the_product(micro: int, accumulation: int, largest: int) -> None:
    """Power-of-two multiples that divide micro x accumulation, on a card with room for all."""
    found = profile_of(
        model_id="Qwen/Qwen2.5-0.5B",
        max_seq_len=256,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
    )
    assert found.micro_batch_max == largest


def test_micro_batch_stops_at_the_margin() -> None:
    values: dict[str, Json] = {"max_seq_len": 4096, "gradient_accumulation_steps": 256}
    values["per_device_train_batch_size"] = 1
    best = profile_of("h100-sxm", **values).micro_batch_max
    assert best is not None
    assert 1 < best < 256
    fits = profile_of("h100-sxm", **{**values, "per_device_train_batch_size": best})
    over = profile_of("h100-sxm", **{**values, "per_device_train_batch_size": 2 * best})
    assert fits.fit["as_written"].share <= MARGIN < over.fit["as_written"].share


def test_missing_facts_are_named_not_raised() -> None:
    found = profile_of(model_id="acme/unheard-of-9b")
    assert found.missing == ("model_id",)
    assert found.missing_reason is not None
    assert "acme/unheard-of-9b" in found.missing_reason
    assert found.step_s is None
    assert found.fit == {}
    assert found.micro_batch_max is None


def test_no_capacity_no_fit() -> None:
    found = profile_of("cpu")
    assert found.step_s is not None
    assert found.fit == {}
