"""What the host trains on: the same samples in both arms, padded, grouped, packed, kept apart."""

from __future__ import annotations

import pytest
import torch

from audit.records.translated import Loader, Padding, Recipe, Samples, Shape
from runner.worker.host.batches import Plan, pack
from runner.worker.host.collate import IGNORED, Batches
from runner.worker.host.device import Device
from runner.worker.host.model import build_model
from runner.worker.host.samples import Stream

SAMPLES = Samples(p50=20, p95=45, longest=64, origin="stated")
RECIPE = Recipe(
    micro_batch=4, accumulation=1, max_length=64, padding="longest", attention="sdpa",
    precision="fp32", weights="fp32", checkpointing="off", compiled=False,
    optimizer="adamw_torch", learning_rate=1e-3, weight_decay=0.0, max_grad_norm=1.0, lora=None,
    loader=Loader(), logging_steps=10, sharding="none",
)  # fmt: skip
SHAPE = Shape(family="llama", hidden=32, layers=2, heads=2, kv_heads=1, head=16, mlp=64, vocab=128,
              tied=True)  # fmt: skip


def batches(padding: Padding, **changes: object) -> Batches:
    recipe = RECIPE.model_copy(update={"padding": padding, **changes})
    return Batches(Plan(Stream(SAMPLES, recipe.max_length, SHAPE.vocab, seed=3), recipe, seed=3))


def test_a_sample_is_the_same_wherever_it_is_made() -> None:
    one, other = (Stream(SAMPLES, 64, 128, seed=3) for _ in range(2))
    assert torch.equal(one.tokens(17), other.tokens(17))
    assert all(2 <= one.length(index) <= 64 for index in range(200))


def test_the_stated_median_and_tail_come_out() -> None:
    stream = Stream(Samples(p50=100, p95=300, longest=4096, origin="stated"), 4096, 128, seed=0)
    lengths = sorted(stream.length(index) for index in range(4000))
    assert 95 <= lengths[2000] <= 105
    assert 280 <= lengths[3800] <= 320


@pytest.mark.parametrize("padding", ["max", "longest", "padding_free"])
def test_the_same_samples_meet_whatever_the_padding(padding: Padding) -> None:
    plain = batches("longest")[5]
    batch = batches(padding)[5]
    assert (batch.real, batch.samples, batch.targets) == (plain.real, 4, plain.targets)
    assert batch.padded == {"max": 4 * 64, "longest": plain.padded}.get(padding, plain.real)


def test_four_of_one_hold_what_one_of_four_holds() -> None:
    small, large = batches("longest", micro_batch=1), batches("longest", micro_batch=4)
    assert sum(small[index].real for index in range(4)) == large[0].real


def test_packing_puts_every_sample_into_one_row_and_none_over_the_edge() -> None:
    lengths = {index: 5 + (index * 37) % 60 for index in range(200)}
    rows = pack(lengths, 64)
    assert sorted(index for row in rows for index in row) == list(range(200))
    used = [sum(lengths[index] for index in row) for row in rows]
    assert max(used) <= 64
    assert sum(used) / (64 * len(rows)) > 0.9


def test_packed_windows_are_like_the_epoch() -> None:
    data = batches("packed")
    first = [data[number] for number in range(12)]
    later = [data[number] for number in range(12, 60)]
    share = [sum(b.real for b in part) / sum(b.padded for b in part) for part in (first, later)]
    assert abs(share[0] - share[1]) < 0.08


def test_grouping_cuts_padding_and_does_not_begin_with_the_longest() -> None:
    plain, grouped = batches("longest"), batches("grouped")
    waste = [sum(d[i].padded for i in range(50)) / sum(d[i].real for i in range(50))
             for d in (plain, grouped)]  # fmt: skip
    assert waste[1] < 1.1 < waste[0]
    widths = [grouped[index].inputs["input_ids"].shape[1] for index in range(50)]
    assert widths != sorted(widths, reverse=True)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_samples_do_not_see_each_other(attention: str) -> None:
    recipe = RECIPE.model_copy(update={"padding": "packed", "attention": attention})
    data = batches("packed", attention=attention)
    rows = data.plan.rows(0)
    row = next(one for one in rows if len(one) > 1)
    model = build_model(SHAPE, recipe, Device(), seed=0).eval()
    batch = data.collate((row,))
    with torch.no_grad():
        together = model(**{k: v for k, v in batch.inputs.items() if k != "labels"}).logits[0]
        at = 0
        for index in row:
            sample = data.plan.stream.tokens(index)
            alone = model(input_ids=sample[None]).logits[0]
            assert torch.allclose(together[at : at + len(sample)], alone, atol=1e-4)
            at += len(sample)


def test_the_first_token_of_a_sample_is_no_target_in_either_form() -> None:
    batch = batches("packed")[0]
    labels, positions = batch.inputs["labels"], batch.inputs["position_ids"]
    assert bool((labels[positions == 0] == IGNORED).all())
