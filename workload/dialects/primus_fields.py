"""The Primus fields that follow from several keys: task, method, precision, recomputation.

Rules: github:AMD-AGI/Primus@fd1eeab, primus/configs/modules/ and examples/.
"""

from __future__ import annotations

from audit.records.base import Json
from workload.dialects.layers import LayeredDocument, tell_missing
from workload.dialects.yaml_table import FieldReader
from workload.splice.yaml_document import Place

OPEN = ("finetune_method", "gradient_checkpointing", "optimizer", "bf16", "fp8", "datasets")
"""Fields beside the table that a preset may set."""
OPTIMIZERS = {"adam": "adamw_torch_fused", "AdamW": "adamw_torch_fused", "sgd": "sgd"}
"""Megatron's Adam is the fused AdamW of Transformer Engine or Apex; TorchTitan's is torch's."""
STAGES = ("pretrain", "sft", "dpo")
_NONE = ("none", "null", "", "false")


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    document = reader.document
    if isinstance(document, LayeredDocument):
        tell_missing(reader, document.missing)
    _task(reader)
    _method(reader)
    _precision(reader)
    _recomputation(reader)
    _optimizer(reader)
    for key in (
        "sft_dataset_name",
        "train_data_path",
        "packed_train_data_path",
        "training.dataset",
    ):
        place = _held(reader, key)
        value = document.plain(place.value) if place is not None else None
        if place is not None and isinstance(value, str):
            reader.stated("datasets", place, [value])
            break
    sharded = _held(reader, "use_torch_fsdp2") or _held(reader, "use_megatron_fsdp")
    if sharded is not None:
        reader.stated("fsdp", sharded, True)
    for place in document.places("env"):
        value = document.plain(place.value)
        if isinstance(value, str | int | float):
            reader.stated(f"env:{place.path.removeprefix('env.')}", place, str(value))
    total = reader.value("train_batch_size")
    if isinstance(total, int) and total > 0:
        reader.derived("effective_batch", total, "global_batch_size counts all ranks")


def _held(reader: FieldReader, name: str) -> Place | None:
    """The place of an override that is set to something else than null, none, false or empty."""
    place = reader.document.place(f"modules.*.overrides.{name}")
    if place is None:
        return None
    value = reader.document.plain(place.value)
    return None if value is None or str(value).strip().lower() in _NONE else place


def _task(reader: FieldReader) -> None:
    stage = reader.document.place("modules.*.overrides.stage")
    value = reader.document.plain(stage.value) if stage is not None else None
    config = str(reader.document.value("modules.*.config") or "")
    module = reader.document.expand("modules.*").rpartition(".")[2]
    if stage is not None and isinstance(value, str):
        word = next((word for word in STAGES if word in value.lower()), value.lower())
        reader.stated("task", stage, word)
    elif module.startswith("pre") and "sft" not in config:
        reader.assumed("task", "pretrain", f"the module is called {module}")
    else:
        reader.assumed("task", "sft", f"the module is called {module}")


def _method(reader: FieldReader) -> None:
    place = reader.document.place("modules.*.overrides.peft")
    switch = reader.document.place("modules.*.overrides.lora.enabled")
    if place is not None:
        value = reader.document.plain(place.value)
        off = value is None or str(value).lower() in _NONE
        reader.stated("finetune_method", place, "full" if off else str(value).lower())
    elif switch is not None:
        on = reader.document.plain(switch.value) is True
        reader.stated("finetune_method", switch, "lora" if on else "full")
    elif reader.value("task") == "pretrain":
        reader.derived("finetune_method", "full", "pre-training trains every weight")
    if reader.value("finetune_method") == "full":
        for name in ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"):
            reader.fields.pop(name, None)


def _precision(reader: FieldReader) -> None:
    named = _held(reader, "precision_config")
    word = str(reader.document.plain(named.value)).lower() if named is not None else ""
    for name in ("bf16", "fp16"):
        switch = reader.document.place(f"modules.*.overrides.{name}")
        if switch is not None:
            reader.stated(name, switch, bool(reader.document.plain(switch.value)))
        elif named is not None:
            reader.derived(name, word.startswith(name), f"precision_config: {word}")
    eight = reader.document.place("modules.*.overrides.fp8")
    if eight is not None:
        on = _held(reader, "fp8") is not None
        reader.stated("fp8", eight, on)
    elif named is not None:
        reader.derived("fp8", "fp8" in word, f"precision_config: {word}")


def _recomputation(reader: FieldReader) -> None:
    for name in ("recompute_granularity", "activation_checkpoint.mode"):
        place = reader.document.place(f"modules.*.overrides.{name}")
        if place is not None:
            value: Json = reader.document.plain(place.value)
            on = value is not None and str(value).lower() not in _NONE
            reader.stated("gradient_checkpointing", place, on)
            return


def _optimizer(reader: FieldReader) -> None:
    for name in ("optimizer.name", "optimizer"):
        place = _held(reader, name)
        value = reader.document.plain(place.value) if place is not None else None
        if place is not None and isinstance(value, str):
            reader.stated("optimizer", place, OPTIMIZERS.get(value, value.lower()))
            return
