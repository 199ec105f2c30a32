"""Bad input: whatever a file says, the answer is a finite projection or a refusal with a name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records.base import Interval, Json
from audit.records.errors import MissingFacts
from audit.records.upload import Upload
from audit.records.workload import DataLengths, Workload
from kb.catalog.hardware import Hardware, all_hardware, find_hardware
from runner.estimator.card import read_card
from runner.estimator.estimate import Estimate, estimate_workload
from runner.estimator.limits import COUNTS, NAMES
from runner.estimator.profile import profile_workload
from tests.runner.stated_workloads import LORA, make_workload
from workload.read import read_workload

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

FIELDS = sorted(
    {
        *LORA, *COUNTS, *NAMES, "quant_bits", "fsdp", "liger", "torch_compile", "padding_free",
        "pad_to_max_length", "group_by_length", "activation_offloading", "offload_optimizer",
        "tf32", "device_map", "fused_kernels",
    }
)  # fmt: skip
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.integers(-2, 9),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from(["auto", "bf16", "fp8", "fp32", "qlora", "full", "dora", "pretrain", "dpo"]),
    st.sampled_from(["adafactor", "paged_adamw_8bit", "lomo", "eager", "offload", "gpt2"]),
    st.lists(st.one_of(st.integers(), st.text(max_size=4)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
CARDS = st.sampled_from([card.id for card in all_hardware()])


def figures(found: Estimate) -> Iterator[float]:
    intervals = (found.step_s, found.tokens_per_s, found.samples_per_s, found.peak_memory_gb)
    for one in (*intervals, found.tokens_per_s_per_gpu, found.mfu):
        if isinstance(one, Interval):
            yield from (one.low, one.value, one.high)
    yield from (part.value for part in (*found.breakdown, *found.memory))
    yield found.padding_efficiency


def answer(workload: Workload, card: Hardware, gpus: int, nodes: int) -> Estimate | MissingFacts:
    """The projection or the refusal; anything else is a bug and rises."""
    try:
        return estimate_workload(workload, card, gpus, nodes)
    except MissingFacts as refusal:
        return refusal


@settings(max_examples=400, deadline=None)
@given(
    changed=st.dictionaries(st.sampled_from(FIELDS), ODD, min_size=1, max_size=4),
    card=CARDS,
    gpus=st.integers(-1, 17),
    nodes=st.integers(0, 3),
)
def test_finite_or_refused(changed: dict[str, Json], card: str, gpus: int, nodes: int) -> None:
    workload = make_workload(**changed)
    hardware = find_hardware(card)
    found = answer(workload, hardware, gpus, nodes)
    if isinstance(found, MissingFacts):
        assert found.missing
        profile = profile_workload(workload, hardware, gpus, nodes)
        assert profile.missing == found.missing
        assert profile.step_s is None
        return
    assert all(math.isfinite(value) and value >= 0 for value in figures(found))
    assert found.step_s.value > 0
    assert found.peak_memory_gb.value > 0


@settings(max_examples=100, deadline=None)
@given(numbers=st.tuples(*[st.integers(-5, 10**12)] * 3), packing=st.booleans())
def test_any_lengths(numbers: tuple[int, int, int], packing: bool) -> None:
    median, high, longest = numbers
    stated = DataLengths(p50=median, p95=high, max=longest, origin="stated", source="a test")
    workload = make_workload(lengths=stated, packing=packing)
    found = answer(workload, find_hardware("mi300x"), 1, 1)
    if isinstance(found, MissingFacts):
        assert found.missing == ("lengths",)
    else:
        assert 1 <= median <= high <= longest
        assert all(math.isfinite(value) for value in figures(found))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("per_device_train_batch_size", 0),
        ("per_device_train_batch_size", -4),
        ("per_device_train_batch_size", 2.5),
        ("per_device_train_batch_size", True),
        ("per_device_train_batch_size", "auto"),
        ("per_device_train_batch_size", 10**12),
        ("gradient_accumulation_steps", 0),
        ("max_seq_len", -1),
        ("max_seq_len", float("nan")),
        ("lora_r", 0),
        ("tensor_parallel_size", 0),
        ("deepspeed_stage", 4),
        ("quant_bits", 3),
        ("compute_dtype", "int3"),
        ("finetune_method", ["lora"]),
        ("lora_target_modules", [1, 2]),
    ],
)
def test_value_is_refused_by_name(field: str, value: Json) -> None:
    with pytest.raises(MissingFacts) as caught:
        estimate_workload(make_workload(**{field: value}), find_hardware("mi300x"), 8, 1)
    assert caught.value.missing == (field,)
    assert field.replace("_", " ") in str(caught.value).replace("_", " ")


def test_place_of_the_value_is_told() -> None:
    workload = make_workload(per_device_train_batch_size=0)
    field = workload.fields["per_device_train_batch_size"]
    placed = field.model_copy(update={"file": "train.py", "line": 7})
    workload = workload.model_copy(
        update={"fields": {**workload.fields, "per_device_train_batch_size": placed}}
    )
    with pytest.raises(MissingFacts, match=r"train\.py, line 7: per_device_train_batch_size is 0"):
        estimate_workload(workload, find_hardware("mi300x"), 1, 1)


@pytest.mark.parametrize(
    ("split", "gpus", "nodes", "named"),
    [
        ({"tensor_parallel_size": 2}, 1, 1, ("tensor_parallel_size",)),
        ({"tensor_parallel_size": 8}, 4, 1, ("tensor_parallel_size",)),
        ({"tensor_parallel_size": 4, "context_parallel_size": 4}, 8, 1, None),
        ({"tensor_parallel_size": 2, "pipeline_parallel_size": 3}, 8, 2, None),
        ({"tensor_parallel_size": 3}, 3, 1, ("tensor_parallel_size",)),
        ({"pipeline_parallel_size": 64}, 8, 8, ("pipeline_parallel_size",)),
    ],
)
def test_contradictory_parallelism(
    split: dict[str, Json], gpus: int, nodes: int, named: tuple[str, ...] | None
) -> None:
    with pytest.raises(MissingFacts) as caught:
        estimate_workload(make_workload(**split), find_hardware("mi300x"), gpus, nodes)
    assert caught.value.missing == (named or tuple(split))


def test_parallelism_that_fits_is_used() -> None:
    split: dict[str, Json] = {
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 2,
        "context_parallel_size": 2,
    }
    found = estimate_workload(make_workload(**split), find_hardware("mi300x"), 8, 2)
    layout = found.job.layout
    assert (layout.tensor, layout.pipeline, layout.context, layout.replicas) == (2, 2, 2, 2)


def test_dtype_without_a_figure_is_refused() -> None:
    workload = make_workload(compute_dtype="fp8")
    assert estimate_workload(workload, find_hardware("mi300x"), 1, 1).step_s.value > 0
    for card in ("mi250x", "a100-80gb", "v100", "rtx-3090"):
        with pytest.raises(MissingFacts, match="fp8") as caught:
            estimate_workload(workload, find_hardware(card), 1, 1)
        assert caught.value.missing == ("compute_dtype",)


def test_every_card_has_its_rates() -> None:
    for card in all_hardware():
        rates = read_card(card)
        assert min(rates.gemm, rates.bandwidth, rates.link, rates.fp32) > 0


def test_other_number_of_processes_is_told() -> None:
    workload = make_workload(num_processes=8)
    alone = estimate_workload(workload, find_hardware("mi300x"), 1, 1)
    assert any("8 processes" in text for text in alone.assumptions)
    eight = estimate_workload(workload, find_hardware("mi300x"), 8, 1)
    assert not any("processes" in text for text in eight.assumptions)


@pytest.mark.parametrize("value", ["0", "-3", "1.5"])
def test_a_bad_value_of_a_real_file_is_placed(value: str) -> None:
    text = (EXAMPLES / "axolotl-qlora-192gb.yml").read_text()
    bad = re.sub(r"(?m)^micro_batch_size: \S+", f"micro_batch_size: {value}", text)
    assert bad != text
    workload = read_workload([Upload("mine.yml", bad.encode())])
    with pytest.raises(
        MissingFacts, match=r"mine\.yml, line \d+: micro_batch_size must be"
    ) as caught:
        estimate_workload(workload, find_hardware("mi300x"), 1, 1)
    assert caught.value.missing == ("per_device_train_batch_size",)


@pytest.mark.parametrize("value", ["0", "-3"])
def test_epochs_that_train_nothing_are_refused_at_their_line(value: str) -> None:
    text = (
        "base_model: meta-llama/Llama-3.2-1B\nadapter: lora\nlora_r: 8\nmicro_batch_size: 2\n"
        f"gradient_accumulation_steps: 1\nsequence_len: 512\nnum_epochs: {value}\n"
    )
    workload = read_workload([Upload("run.yml", text.encode())])
    assert workload.fields["num_epochs"].origin == "unknown"
    with pytest.raises(MissingFacts, match=r"run\.yml, line 7: num_epochs"):
        estimate_workload(workload, find_hardware("mi300x"), 1, 1)
