"""LLaMA-Factory's second schema: blocks of plugins, a batch over all ranks, its own defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import Edited, edit_workload
from workload.read import read_workload

GOLDEN = Path(__file__).parent / "golden" / "llamafactory_v1_lora.yaml"
FULL = (
    "model: a/b\nmodel_class: llm\nkernel_config:\n  name: auto\ndist_config:\n  name: deepspeed\n"
    "  config_file: configs/ds_z3.json\ntrain_dataset: d.yaml\nmicro_batch_size: 2\n"
)


def read(text: str, *beside: Upload) -> Workload:
    return read_workload([Upload("v1.yaml", text.encode()), *beside])


def edited(**values: Any) -> Edited:
    edits = [FieldEdit(field=name, value=value) for name, value in values.items()]
    return edit_workload([Upload("v1.yaml", GOLDEN.read_bytes())], edits)


def test_full_tuning_has_no_adapter_and_keeps_32_bit_weights() -> None:
    workload = read(FULL)
    assert workload.format == "llamafactory_v1_yaml"
    assert workload.value("finetune_method") == "full"
    assert workload.value("model_load_dtype") == "fp32"
    assert "lora_r" not in workload.fields
    assert workload.value("gradient_checkpointing") is True
    assert workload.value("gradient_checkpointing_reentrant") is False


def test_a_named_deepspeed_file_is_read_where_it_was_uploaded() -> None:
    assert read(FULL).fields["deepspeed_stage"].origin == "assumed"
    config = Upload("ds_z3.json", b'{"zero_optimization": {"stage": 3}, "bf16": {"enabled": true}}')
    stage = read(FULL, config).fields["deepspeed_stage"]
    assert (stage.value, stage.origin, stage.file) == (3, "stated", "ds_z3.json")


@pytest.mark.parametrize(
    ("lines", "steps", "kinds"),
    [
        ("", 1, set()),
        ("global_batch_size: 16\n", None, set()),
        ("global_batch_size: 16\ndp_size: 4\n", 2, set()),
        ("global_batch_size: 15\ndp_size: 4\n", None, {"conflict"}),
    ],
)
def test_accumulation_follows_from_the_whole_batch(
    lines: str, steps: int | None, kinds: set[str]
) -> None:
    workload = read(FULL + lines)
    assert workload.value("gradient_accumulation_steps") == steps
    assert kinds <= {notice.kind for notice in workload.notices}


def test_values_of_blocks_are_edited_in_place() -> None:
    done = edited(lora_r=16, gradient_checkpointing=True, per_device_train_batch_size=4, bf16=False)
    assert [outcome.reason for outcome in done.outcomes] == [None] * 4
    gone = {line for line in done.diff.splitlines() if line[:1] == "-" and line[:3] != "---"}
    assert gone == {"-  r: 32", "-enable_activation_checkpointing: false", "-micro_batch_size: 2"}
    assert done.workload.value("gradient_accumulation_steps") == 2


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("finetune_method", "full", "peft_config"),
        ("quant_bits", None, "quant_config"),
        ("padding_free", False, "batching_strategy"),
        ("gradient_accumulation_steps", 8, "global_batch_size"),
    ],
)
def test_what_a_block_decides_is_advice(field: str, value: Any, advice: str) -> None:
    (outcome,) = edited(**{field: value}).outcomes
    assert not outcome.applied
    assert advice in str(outcome.advice)
