"""Every edit that a run claims to show is found on the built objects, and missed where absent."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from audit.records.base import Json
from audit.records.measured import ReadBack
from audit.records.spec import Arm, Spec
from audit.records.translated import TranslatedArm, Translation
from audit.records.workload import DataLengths
from kb.catalog.hardware import find_hardware
from runner.translation.place import Place
from runner.translation.recipe import FIELDS
from runner.translation.translate import translate
from runner.worker.host.arm import ArmRun, build_arm
from runner.worker.host.device import Device
from runner.worker.host.observe import watch_step
from runner.worker.host.ranks import Ranks, layers_of
from runner.worker.host.readback import read_after, read_back
from runner.worker.job import SHOWN_BY
from tests.runner.stated_workloads import make_workload

PLACE = Place(kind="cpu", memory_gb=8.0, rates={"fp32": 0.05, "bf16": 0.05}, compiler=True)
CPU = find_hardware("cpu")
FULL: dict[str, Json] = {
    "model_id": "HuggingFaceTB/SmolLM2-135M", "compute_dtype": "fp32", "model_load_dtype": None,
    "finetune_method": "full", "lora_r": None, "lora_target_modules": None, "max_seq_len": 64,
    "gradient_checkpointing": False, "per_device_train_batch_size": 2, "learning_rate": 1e-3,
    "gradient_accumulation_steps": 2, "pad_to_max_length": False, "optimizer": "adamw_torch",
    "logging_steps": 100,
}  # fmt: skip
LORA: dict[str, Json] = {
    "finetune_method": "lora", "lora_r": 8, "lora_alpha": 16,
    "lora_target_modules": ["q_proj", "v_proj"],
}  # fmt: skip
HALF: dict[str, Json] = {"compute_dtype": "bf16", "bf16": True, "model_load_dtype": "fp32"}
WORKERS: dict[str, Json] = {"dataloader_num_workers": 1}
EDITS: tuple[tuple[dict[str, Json], dict[str, Json]], ...] = (
    ({}, {"per_device_train_batch_size": 4}),
    ({}, {"gradient_accumulation_steps": 1}),
    ({}, {"max_seq_len": 32}),
    ({}, {"packing": True}),
    ({}, {"padding_free": True}),
    ({}, {"pad_to_max_length": True}),
    ({}, {"group_by_length": True}),
    ({}, {"attn_implementation": "eager"}),
    ({}, {"compute_dtype": "bf16", "bf16": True}),
    (HALF, {"model_load_dtype": "bf16"}),
    ({}, {"gradient_checkpointing": True}),
    ({"gradient_checkpointing": True}, {"gradient_checkpointing_reentrant": True}),
    ({}, {"optimizer": "adamw_torch_fused"}),
    ({}, {"optimizer": "adafactor"}),
    ({}, {"learning_rate": 2e-3}),
    ({}, {"weight_decay": 0.1}),
    ({}, {"max_grad_norm": 0.3}),
    ({}, LORA),
    (LORA, {"lora_r": 4}),
    (LORA, {"lora_alpha": 8}),
    (LORA, {"lora_dropout": 0.1}),
    (LORA, {"lora_target_modules": ["q_proj", "k_proj", "v_proj"]}),
    ({}, {"dataloader_num_workers": 2}),
    (WORKERS, {"dataloader_prefetch_factor": 5}),
    ({}, {"logging_steps": 1}),
)
ELSEWHERE = frozenset({
    "torch_compile",  # tests of the whole worker: compiling takes long
    "fsdp", "deepspeed_stage", "ddp_find_unused_parameters",  # with two ranks
    "fp16", "tf32", "dataloader_pin_memory", "liger",  # need a GPU
})  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in the worker's process
        yield
    torch.set_num_threads(before)


def translated(before: dict[str, Json], edit: dict[str, Json]) -> Translation:
    lengths = DataLengths(p50=20, p95=45, max=64, origin="stated", source="test")
    workload = make_workload(lengths=lengths, **{**FULL, **before})
    arms = (
        Arm(name="baseline", workload=workload),
        Arm(name="patched", workload=workload.with_values(edit)),
    )
    return translate(Spec(arms=arms, hardware="cpu"), PLACE, CPU)


@contextmanager
def running(translation: Translation, which: int) -> Iterator[ArmRun]:
    device = Device()
    run = build_arm(translation, translation.arms[which], device, Ranks(device), seed=0)
    yield run
    run.close()
    gc.collect()


def rows_of(run: ArmRun, claimed: TranslatedArm) -> list[ReadBack]:
    """What the host reads of an arm that ran, held against what somebody claims that it was."""
    seen, _ = watch_step(run.model, layers_of(run.model), lambda: run.step(-1, 0, 0))
    run.step(0, 0, 0)
    run.arm = claimed
    return [*read_back(run, seen), *read_after(run)]


@pytest.mark.parametrize(("before", "edit"), EDITS, ids=lambda one: "+".join(one) or "plain")
def test_an_edit_is_found_where_it_is_and_missed_where_it_is_not(
    before: dict[str, Json], edit: dict[str, Json]
) -> None:
    translation = translated(before, edit)
    shown = {SHOWN_BY.get(field, field) for field in edit if field in translation.edits}
    assert shown
    with running(translation, 1) as patched:
        rows = rows_of(patched, translation.arms[1])
    assert [row for row in rows if not row.effective] == []
    assert shown <= {row.field for row in rows}
    with running(translation, 0) as built:
        claimed = rows_of(built, translation.arms[1])
    for field in shown:
        about = [row for row in claimed if row.field == field]
        assert not all(row.effective for row in about) or not about, field
    assert any(row.field in shown and not row.effective for row in claimed)


def test_every_field_that_acts_has_its_case() -> None:
    tried = {field for _, edit in EDITS for field in edit}
    assert set(FIELDS) == tried | ELSEWHERE


def test_the_loader_edits_that_cannot_act_are_named() -> None:
    edit = {"dataloader_pin_memory": True, "dataloader_persistent_workers": True,
            "dataloader_prefetch_factor": 4}  # fmt: skip
    translation = translated({}, edit)
    assert translation.edits == {}
    why = {one.field: one.reason for one in translation.unmeasured}
    assert "GPU" in why["dataloader_pin_memory"]
    assert "passes over the data" in why["dataloader_persistent_workers"]
    assert "changes nothing" in why["dataloader_prefetch_factor"]
