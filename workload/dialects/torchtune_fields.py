"""The torchtune fields that follow from components: model, method, optimizer, loss, data, task.

Rules: github:pytorch/torchtune@bd2a0fc (0.7.0), recipes/ and torchtune/models/.
"""

from __future__ import annotations

import re

from audit.records.base import Json
from workload.dialects.class_paths import optimizer_name
from workload.dialects.yaml_table import FieldReader
from workload.splice.yaml_document import Place

LOSSES = {"DPO": "dpo", "SimPO": "dpo", "RSO": "dpo", "PPO": "ppo", "GRPO": "grpo"}
KERNELS = {
    "LinearCrossEntropyLoss": "linear_cross_entropy",
    "CEWithChunkedOutputLoss": "chunked_cross_entropy",
}
TRAINING_FIELDS = (
    "seed",
    "max_grad_norm",
    "fsdp_cpu_offload",
    "tensor_parallel_size",
    "context_parallel_size",
    "fp8",
    "logging_steps",
    "eval_steps",
    "save_steps",
    "max_seq_len",
)
"""Fields whose default means nothing where nothing is trained."""
_METHOD = re.compile(r"(?:^|\.)(qlora|lora|dora)_\w+$")


def finish(reader: FieldReader) -> None:
    """The fields that follow from components."""
    trains = reader.document.place("optimizer") is not None
    _model(reader)
    _optimizer(reader)
    _data(reader)
    _precision(reader)
    _task(reader, trains)
    _compile(reader)
    if trains:
        _steps(reader)
        why = "torchtune takes SDPA, and flex attention for packed samples"
        word = "flex_attention" if reader.value("packing") else "sdpa"
        reader.assumed("attn_implementation", word, why)
        _schedule(reader)
    else:
        for name in TRAINING_FIELDS:
            if not reader.is_stated(name):
                reader.fields.pop(name, None)


def component(reader: FieldReader, block: str) -> tuple[str, Place] | None:
    """The class path that builds a block, with its place."""
    place = reader.document.place(f"{block}._component_")
    value = reader.document.plain(place.value) if place is not None else None
    return (value, place) if place is not None and isinstance(value, str) else None


def _model(reader: FieldReader) -> None:
    model = component(reader, "model") or component(reader, "policy_model")
    folder = reader.document.place("checkpointer.checkpoint_dir")
    if folder is not None and reader.document.plain(folder.value):
        reader.stated("model_id", folder, reader.document.plain(folder.value))
    if model is None:
        return
    name, place = model
    if reader.value("model_id") is None:
        reader.stated("model_id", place, name)
    found = _METHOD.search(name)
    word = found[1] if found else "full"
    if word != "full" and reader.document.value("model.use_dora"):
        word = "dora"
    bits = place if word == "qlora" else None
    if word != "qlora" and reader.document.value("model.quantize_base"):
        word, bits = "qlora", reader.document.place("model.quantize_base")
    reader.stated("finetune_method", place, word)
    if bits is not None:
        reader.stated("quant_bits", bits, 4)
        reader.derived("quant_type", "nf4", "torchtune quantises to NF4")
    else:
        reader.default("quant_bits", None)
    if word != "full" and "lora_dropout" not in reader.fields:
        reader.default("lora_dropout", 0.0)


def _optimizer(reader: FieldReader) -> None:
    found = component(reader, "optimizer")
    if found is None:
        return
    path, place = found
    fused = reader.document.value("optimizer.fused") is True
    reader.stated("optimizer", place, optimizer_name(path, fused=fused))


def _data(reader: FieldReader) -> None:
    place = reader.document.place("dataset")
    if place is None:
        return
    value = reader.document.plain(place.value)
    items = [item for item in (value if isinstance(value, list) else [value]) if item]
    blocks = [item for item in items if isinstance(item, dict)]
    names = [_source(block) for block in blocks]
    if any(names):
        reader.stated("datasets", place, [name for name in names if name])
    packed = [block for block in blocks if block.get("packed")]
    if isinstance(value, list) and packed:
        reader.stated("packing", place, True)
    elif not reader.is_stated("packing"):
        reader.default("packing", False)


def _source(block: dict[str, Json]) -> str | None:
    name = block.get("source") or block.get("_component_")
    return name if isinstance(name, str) else None


def _precision(reader: FieldReader) -> None:
    weights = reader.value("model_load_dtype")
    if isinstance(weights, str):
        why = f"dtype: {weights} holds for weights and products alike"
        reader.derived("bf16", weights == "bf16", why)


def _task(reader: FieldReader, trains: bool) -> None:
    loss, distilled = component(reader, "loss"), reader.document.place("kd_loss")
    word = None
    if loss is not None:
        name, place = loss
        short = name.rpartition(".")[2]
        word = next((task for start, task in LOSSES.items() if short.startswith(start)), None)
        kernel = KERNELS.get(short)
        reader.derived("fused_kernels", [kernel] if kernel else [], f"loss: {short}")
        if word is not None:
            reader.stated("task", place, word)
    if distilled is not None:
        reader.stated("task", distilled, "kd")
    elif not trains:
        reader.derived("task", "inference", "no optimizer in the file")
        reader.notice("note", "the file generates, evaluates or quantises; it trains nothing")
    elif word is None:
        why = "the recipe is named on the launch line; the loss is that of supervised training"
        reader.assumed("task", "sft", why)


def _compile(reader: FieldReader) -> None:
    """`compile` may be a block with a switch for each part."""
    place = reader.document.place("compile")
    value = reader.document.plain(place.value) if place is not None else None
    if place is not None and isinstance(value, dict):
        reader.stated("torch_compile", place, any(map(bool, value.values())))


def _steps(reader: FieldReader) -> None:
    micro = reader.value("per_device_train_batch_size")
    if "gradient_accumulation_steps" not in reader.fields:
        reader.default("gradient_accumulation_steps", 1)
    if "per_device_eval_batch_size" not in reader.fields and micro is not None:
        reader.derived("per_device_eval_batch_size", micro, "batch_size_val follows batch_size")
    limit = reader.document.place("max_steps_per_epoch")
    steps = reader.document.plain(limit.value) if limit is not None else None
    epochs = reader.value("num_epochs")
    if isinstance(steps, int) and isinstance(epochs, int):
        reader.derived("max_steps", steps * epochs, "max_steps_per_epoch x epochs")


def _schedule(reader: FieldReader) -> None:
    found = component(reader, "lr_scheduler")
    if found is None:
        reader.default("lr_scheduler", "constant", f"{reader.source}: no scheduler, no warm-up")
        reader.default("warmup_steps", 0)
        return
    path, place = found
    name = path.rpartition(".")[2].removeprefix("get_")
    reader.stated("lr_scheduler", place, re.sub(r"_schedule(?:_with_warmup)?$|_lr$", "", name))
