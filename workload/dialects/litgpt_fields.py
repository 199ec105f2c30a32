"""The LitGPT fields that follow from several keys: method, precision, optimizer, data, sharding.

Rules: github:Lightning-AI/litgpt@2685705 (0.5.13), litgpt/finetune/lora.py, full.py, adapter.py,
litgpt/pretrain.py and litgpt/utils.py.
"""

from __future__ import annotations

from audit.records.base import Json
from workload.dialects.class_paths import optimizer_name
from workload.dialects.yaml_table import FieldReader

PRECISIONS = {
    "bf16-true": "bf16",
    "32-true": "fp32",
    "16-true": "fp16",
    "64-true": "fp64",
    "bf16-mixed": "fp32",
    "16-mixed": "fp32",
}
"""Precision -> dtype of the weights; mixed precision keeps them in 32 bits."""
MODULES = {
    "lora_query": ("q_proj", True),
    "lora_key": ("k_proj", False),
    "lora_value": ("v_proj", True),
    "lora_projection": ("o_proj", False),
    "lora_mlp": ("mlp", False),
    "lora_head": ("lm_head", False),
}
"""Switch -> the module that it adapts, and its default."""
PRETRAIN = {
    "train_batch_size": 512,
    "per_device_train_batch_size": 4,
    "warmup_steps": 2000,
    "max_grad_norm": 1.0,
    "num_epochs": None,
    "seed": 42,
    "num_processes": "auto",
    "eval_steps": 1000,
}
"""Defaults of `litgpt pretrain` where they differ from those of `litgpt finetune`."""


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    pretrains = reader.document.place("model_name") is not None
    if pretrains:
        for name, value in PRETRAIN.items():
            if not _has(reader, name):
                reader.default(name, value)
    _task(reader, pretrains)
    _method(reader, pretrains)
    _precision(reader)
    _optimizer(reader)
    _data(reader)
    _batch(reader)
    _sharding(reader, pretrains)
    reader.default("lr_scheduler", "cosine")
    reader.assumed("attn_implementation", "sdpa", "LitGPT calls PyTorch's SDPA")
    reader.default("torch_compile", pretrains)


def _has(reader: FieldReader, name: str) -> bool:
    found = reader.fields.get(name)
    return found is not None and found.origin != "default"


def _task(reader: FieldReader, pretrains: bool) -> None:
    place = reader.document.place("model_name")
    if pretrains and place is not None:
        reader.stated("task", place, "pretrain")
    else:
        reader.assumed("task", "sft", "checkpoint_dir belongs to litgpt finetune")


def _method(reader: FieldReader, pretrains: bool) -> None:
    keys = [name for name in ("lora_r", "lora_alpha", *MODULES) if reader.document.place(name)]
    quantised = reader.held("quantize")
    if quantised is not None:
        text = str(reader.document.plain(quantised.value))
        reader.stated("quant_bits", quantised, 8 if "int8" in text else 4)
        if "int8" not in text:
            reader.stated("quant_type", quantised, "fp4" if "fp4" in text else "nf4")
    else:
        reader.default("quant_bits", None)
    if keys:
        place = reader.document.place(keys[0])
        word = "qlora" if quantised is not None else "lora"
        if place is not None:
            reader.stated("finetune_method", quantised or place, word)
        _modules(reader)
        return
    for name in ("lora_r", "lora_alpha", "lora_dropout"):
        reader.fields.pop(name, None)
    folder = str(reader.document.value("out_dir") or "")
    if "adapter" in folder and not pretrains:
        reader.assumed("finetune_method", "adapter", f"no LoRA keys, and out_dir is {folder}")
    else:
        reader.assumed("finetune_method", "full", "no LoRA keys; the command decides it")


def _modules(reader: FieldReader) -> None:
    found = []
    for name, (module, default) in MODULES.items():
        value = reader.document.value(name)
        if value if value is not None else default:
            found += ["gate_proj", "up_proj", "down_proj"] if module == "mlp" else [module]
    reader.derived("lora_target_modules", found, "the lora_ switches and their defaults")


def _precision(reader: FieldReader) -> None:
    place = reader.held("precision")
    word = str(reader.document.plain(place.value)) if place is not None else None
    if word is None:
        why = "precision null is bf16-mixed on a card that has it"
        reader.assumed("bf16", True, why)
        reader.assumed("model_load_dtype", "fp32", why)
    else:
        reader.derived("bf16", word.startswith("bf16"), f"precision: {word}")
        reader.derived("fp16", word.startswith("16"), f"precision: {word}")


def _optimizer(reader: FieldReader) -> None:
    place = reader.document.place("optimizer.class_path") or reader.document.place("optimizer")
    value = reader.document.plain(place.value) if place is not None else None
    fused = reader.document.value("optimizer.init_args.fused") is True
    if place is not None and isinstance(value, str):
        reader.stated("optimizer", place, optimizer_name(value, fused=fused))
    else:
        reader.default("optimizer", optimizer_name("torch.optim.AdamW", fused=fused))
    for name, default in (("learning_rate", 1e-3), ("weight_decay", 0.01)):
        if name not in reader.fields:
            reader.default(name, default, "torch.optim.AdamW")
    quantised = reader.held("quantize")
    if quantised is not None:
        message = "with quantize LitGPT takes the paged AdamW of bitsandbytes instead"
        reader.notice("note", message, place or quantised)


def _data(reader: FieldReader) -> None:
    place = reader.document.place("data")
    if place is None:
        return
    value: Json = reader.document.plain(place.value)
    if isinstance(value, dict):
        inner = value.get("init_args")
        inner = inner if isinstance(inner, dict) else {}
        value = inner.get("json_path") or inner.get("repo_id") or value.get("class_path")
    if isinstance(value, str):
        reader.stated("datasets", place, [value])


def _batch(reader: FieldReader) -> None:
    total, micro = reader.value("train_batch_size"), reader.value("per_device_train_batch_size")
    devices, nodes = reader.value("num_processes"), reader.value("num_machines")
    counts = (total, micro, devices, nodes)
    if not all(isinstance(count, int) for count in counts):
        return
    steps = total // (devices * nodes) // micro
    if steps < 1:
        place = reader.document.place("train.global_batch_size")
        message = "global_batch_size is smaller than one micro batch on every device"
        reader.notice("conflict", f"the run does not start: {message}", place)
        return
    why = "global_batch_size / (devices x num_nodes) / micro_batch_size"
    reader.derived("gradient_accumulation_steps", steps, why)


def _sharding(reader: FieldReader, pretrains: bool) -> None:
    devices, nodes = reader.value("num_processes"), reader.value("num_machines")
    if not isinstance(devices, int) or not isinstance(nodes, int):
        return
    many = devices * nodes > 1
    why = "LitGPT shards over several devices and checkpoints every block then"
    if pretrains:
        why = "litgpt pretrain shards over several devices and checkpoints nothing"
    reader.derived("fsdp", many, why)
    reader.derived("gradient_checkpointing", many and not pretrains, why)
    quantised = reader.held("quantize")
    if many and quantised is not None:
        message = "the run does not start: LitGPT quantises on one device only"
        reader.notice("conflict", message, quantised)
