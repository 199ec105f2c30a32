"""The NeMo RL fields that follow from several keys: task, backend, method, optimizer, batches.

Rules: github:NVIDIA-NeMo/RL@7ea279a (0.6.0), nemo_rl/models/policy/ and nemo_rl/utils/config.py.
"""

from __future__ import annotations

import re

from audit.records.base import Json
from workload.dialects.class_paths import optimizer_name
from workload.dialects.layers import LayeredDocument, tell_missing
from workload.dialects.yaml_table import FieldReader
from workload.splice.yaml_document import Document, Place

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
TASKS = {
    "sft": "sft",
    "dpo": "dpo",
    "rm": "reward",
    "grpo": "grpo",
    "ppo": "ppo",
    "distillation": "kd",
}
"""Block of the algorithm -> task; a file with several has the later ones beside its own."""
TRACKERS = ("wandb", "tensorboard", "mlflow", "swanlab")
OPEN = ("finetune_method", "optimizer", "datasets", "report_to")
"""Fields beside the table that a parent may set."""
_WORD = re.compile(r"(?<![a-z])(sft|dpo|rm|grpo|ppo|distillation)(?![a-z])")


def backend_of(document: Document) -> str:
    """The backend, dtensor or megatron: whose block is enabled, else whose block the file has."""
    megatron = document.value("policy.megatron_cfg.enabled")
    dtensor = document.value("policy.dtensor_cfg.enabled")
    if megatron is True or (dtensor is False and megatron is not False):
        return "megatron"
    alone = document.place("policy.dtensor_cfg") is None
    has = document.place("policy.megatron_cfg") is not None
    return "megatron" if has and alone and megatron is not False else "dtensor"


def algorithm_of(document: Document) -> tuple[str, Place | None]:
    """The algorithm's block with its place; None where only a name suggests it."""
    for block in TASKS:
        place = document.place(block)
        if place is not None:
            return block, place
    names = [document.source.name]
    if isinstance(document, LayeredDocument):
        names += [name for name, _ in document.missing]
    for name in names:
        found = _WORD.search(name.lower())
        if found:
            return found[1], None
    return "sft", None


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    document = reader.document
    missing = document.missing if isinstance(document, LayeredDocument) else []
    tell_missing(reader, missing)
    backend = backend_of(document)
    _task(reader)
    _method(reader, backend, bool(missing))
    _optimizer(reader, backend)
    _data(reader)
    _tracking(reader)
    _variables(reader, backend)
    weights = reader.value("model_load_dtype")
    if isinstance(weights, str):
        reader.derived("bf16", weights == "bf16", f"policy.precision: {weights}")
    reader.derived("fsdp", backend == "dtensor", f"the {backend} backend")
    _batches(reader, backend)


def _task(reader: FieldReader) -> None:
    block, place = algorithm_of(reader.document)
    if place is not None:
        reader.stated("task", place, TASKS[block])
    else:
        reader.assumed("task", TASKS[block], "no algorithm's block; a file name suggests it")


def _method(reader: FieldReader, backend: str, open_: bool) -> None:
    path = "policy.dtensor_cfg.lora_cfg" if backend == "dtensor" else "policy.megatron_cfg.peft"
    place = reader.document.place(f"{path}.enabled")
    on = place is not None and reader.document.plain(place.value) is True
    if place is not None:
        reader.stated("finetune_method", place, "lora" if on else "full")
    elif not open_:
        reader.derived("finetune_method", "full", f"no {path}")
    if not on and not (open_ and place is None):
        for name in ("lora_r", "lora_alpha", "lora_dropout"):
            reader.fields.pop(name, None)
    modules = reader.document.place(f"{path}.target_modules")
    if not on or modules is None:
        return
    named = reader.document.plain(modules.value)
    everything = reader.document.value(f"{path}.match_all_linear") is True or not named
    reader.stated("lora_target_modules", modules, "all-linear" if everything else named)


def _optimizer(reader: FieldReader, backend: str) -> None:
    path = "policy.optimizer.name" if backend == "dtensor" else "policy.megatron_cfg.optimizer"
    place = reader.document.place(path + ("" if backend == "dtensor" else ".optimizer"))
    value = reader.document.plain(place.value) if place is not None else None
    if place is None or not isinstance(value, str):
        return
    if backend == "megatron":
        offload = reader.document.place(f"{path}.optimizer_cpu_offload")
        if offload is not None:
            on = reader.document.plain(offload.value) is True
            reader.stated("offload_optimizer", offload, "cpu" if on else "none")
    if backend == "megatron" and value == "adam":
        reader.stated("optimizer", place, "adamw_torch_fused")
        return
    fused = reader.document.value("policy.optimizer.kwargs.fused") is True
    reader.stated("optimizer", place, optimizer_name(value, fused=fused))


def _data(reader: FieldReader) -> None:
    for path in ("data.train", "data"):
        place = reader.document.place(path)
        value = reader.document.plain(place.value) if place is not None else None
        items = value if isinstance(value, list) else [value]
        names = [name for item in items if (name := _name(item)) is not None]
        if place is not None and names:
            reader.stated("datasets", place, names)
            return


def _name(block: Json) -> str | None:
    if not isinstance(block, dict):
        return None
    for key in ("data_path", "train_data_path", "dataset_name"):
        if isinstance(block.get(key), str):
            return str(block[key])
    return None


def _tracking(reader: FieldReader) -> None:
    places = {name: reader.document.place(f"logger.{name}_enabled") for name in TRACKERS}
    held = {name: place for name, place in places.items() if place is not None}
    if held:
        on = [name for name, place in held.items() if reader.document.plain(place.value) is True]
        reader.derived("report_to", on, "the _enabled switches of logger")


def _variables(reader: FieldReader, backend: str) -> None:
    for place in reader.document.places(f"policy.{backend}_cfg.env_vars"):
        value = reader.document.plain(place.value)
        if isinstance(value, str | int | float):
            reader.stated(f"env:{place.path.rpartition('.')[2]}", place, str(value))


def _batches(reader: FieldReader, backend: str) -> None:
    """The global batch is the effective one; accumulation follows where the ranks are known."""
    total, micro = reader.value("train_batch_size"), reader.value("per_device_train_batch_size")
    if isinstance(total, int):
        why = "policy.train_global_batch_size counts all ranks"
        reader.derived("effective_batch", total, why)
    pipeline = 1
    if backend == "megatron":
        value = reader.document.value("policy.megatron_cfg.pipeline_model_parallel_size")
        pipeline = value if isinstance(value, int) and value > 0 else 1
    names = ("num_processes", "num_machines", "tensor_parallel_size", "context_parallel_size")
    counts = [reader.value(name) for name in names]
    if not all(isinstance(count, int) for count in (total, micro, *counts)):
        return
    gpus, nodes, tensor, context = counts
    ranks = max(1, gpus * nodes // (tensor * context * pipeline))
    if total % (micro * ranks) == 0:
        why = "train_global_batch_size / train_micro_batch_size / data-parallel ranks"
        reader.derived("gradient_accumulation_steps", total // (micro * ranks), why)
