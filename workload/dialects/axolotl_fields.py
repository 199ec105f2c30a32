"""The axolotl fields that follow from several keys: task, attention, kernels, sharding, intervals.

Rules: github:axolotl-ai-cloud/axolotl@067b021 (0.18.0), src/axolotl/utils/schemas/validation.py,
config.py, utils/config/__init__.py and core/builders/base.py.
"""

from __future__ import annotations

import re

from audit.records.base import Json
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.yaml_table import FieldReader
from workload.normalise import canonical

LEGACY_ATTENTION = {
    "xformers_attention": "xformers",
    "sage_attention": "sage",
    "flex_attention": "flex_attention",
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
}
"""Deprecated switches and what they mean, in the order in which axolotl looks at them."""
LIGER_PLUGIN = "LigerPlugin"
CUT_PLUGIN = "CutCrossEntropyPlugin"
LORA_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel")
TRACKERS = ("wandb", "mlflow", "comet", "tensorboard", "trackio")


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    _task(reader)
    _method(reader)
    _batch(reader)
    _attention(reader)
    _checkpointing(reader)
    _lengths(reader)
    _data(reader)
    _loader_workers(reader)
    _kernels(reader)
    _sharding(reader)
    _intervals(reader)
    _precision(reader)
    _tracking(reader)


def _task(reader: FieldReader) -> None:
    for path, value in (
        ("rl", None),
        ("reward_model", "reward"),
        ("process_reward_model", "reward"),
        ("pretraining_dataset", "pretrain"),
    ):
        place = reader.held(path)
        if place is not None:
            word = value or canonical("task", reader.document.plain(place.value))
            reader.stated("task", place, word)
            break
    else:
        reader.default("task", "sft")
    block = reader.held("trl")
    if block is not None and reader.value("task") in ("grpo", "gdpo"):
        reader.stated("grpo_block", block, reader.document.plain(block.value))


def _method(reader: FieldReader) -> None:
    dora = reader.held("peft_use_dora")
    if dora is not None and reader.value("finetune_method") == "lora":
        reader.stated("finetune_method", dora, "dora")
    if reader.is_open("finetune_method"):
        reader.default("finetune_method", "full")
    for path, bits in (("load_in_4bit", 4), ("load_in_8bit", 8), ("gptq", 4)):
        place = reader.held(path)
        if place is not None:
            reader.stated("quant_bits", place, bits)
            break
    else:
        off = reader.document.place("load_in_4bit") or reader.document.place("load_in_8bit")
        if off is not None:
            reader.stated("quant_bits", off, None)
        else:
            reader.default("quant_bits", None)
    kind = reader.held("bnb_config_kwargs.bnb_4bit_quant_type")
    if kind is not None:
        reader.stated("quant_type", kind, str(reader.document.plain(kind.value)).lower())
    elif reader.value("quant_bits") == 4:
        reader.default("quant_type", "nf4")
    linear = reader.held("lora_target_linear")
    if linear is not None and not reader.is_stated("lora_target_modules"):
        reader.stated("lora_target_modules", linear, "all-linear")


def _batch(reader: FieldReader) -> None:
    if reader.is_open("gradient_accumulation_steps"):
        reader.default("gradient_accumulation_steps", 1)
        total = reader.document.place("batch_size")
        if reader.is_stated("train_batch_size"):
            # schemas/training.py defaults the steps to 1 before utils/config divides batch_size.
            message = "batch_size is not divided into gradient_accumulation_steps: they stay 1"
            reader.notice("note", message, total)
    micro = reader.value("per_device_train_batch_size")
    if reader.is_open("per_device_eval_batch_size") and micro is not None:
        source = "eval_batch_size follows micro_batch_size"
        reader.derived("per_device_eval_batch_size", micro, source)


def _attention(reader: FieldReader) -> None:
    if reader.is_stated("attn_implementation"):
        return
    for path, value in LEGACY_ATTENTION.items():
        place = reader.held(path)
        if place is not None:
            reader.stated("attn_implementation", place, value)
            message = f"{path} is deprecated: write attn_implementation: {value}"
            reader.notice("deprecated", message, place)
            return
    if reader.held("gemma4_hybrid_attn_impl") is not None:
        reader.derived(
            "attn_implementation", "flash_attention_2", "gemma4_hybrid_attn_impl needs it"
        )
    else:
        why = "transformers takes SDPA where the model has it"
        reader.assumed("attn_implementation", "sdpa", why)


def _checkpointing(reader: FieldReader) -> None:
    mode = reader.value("gradient_checkpointing")
    if mode in ("offload", "offload_disk"):
        place = reader.document.place("gradient_checkpointing")
        reader.derived("activation_offloading", True, f"gradient_checkpointing: {mode} means it")
        today = "gradient_checkpointing: true and activation_offloading: true"
        message = f"gradient_checkpointing: {mode} is deprecated: write {today}"
        reader.notice("deprecated", message, place)
    if mode and reader.is_open("gradient_checkpointing_reentrant"):
        offload = reader.document.value("activation_offloading") == "hidden_states"
        partly = reader.held("unfrozen_parameters") or reader.held("rl")
        block = reader.document.value("gradient_checkpointing_kwargs")
        value = not (partly or block is not None or offload)
        why = "axolotl sets use_reentrant true where gradient_checkpointing_kwargs is not given"
        if not value:
            why = "transformers and TRL default, as axolotl passes none here"
        reader.derived("gradient_checkpointing_reentrant", value, why)


def _lengths(reader: FieldReader) -> None:
    if reader.document.value("pad_to_sequence_len") is None:
        packs, rewards = reader.value("packing"), reader.held("reward_model")
        if packs or rewards:
            why = "sample_packing and reward_model turn pad_to_sequence_len on"
            reader.derived("pad_to_max_length", True, why)
        else:
            reader.default("pad_to_max_length", False)
    if reader.value("padding_free") == "auto":
        micro = reader.value("per_device_train_batch_size")
        flat = not reader.value("packing") and isinstance(micro, int) and micro > 1
        varlen = str(reader.value("attn_implementation")).startswith(("flash", "flex", "xformers"))
        why = "batch_flattening: auto is on for micro batches above 1 with varlen attention"
        reader.derived("padding_free", flat and varlen, why)


def _data(reader: FieldReader) -> None:
    for name in ("datasets", "pretraining_dataset"):
        place = reader.held(name)
        if place is None:
            continue
        paths = _paths(reader.document.plain(place.value))
        if paths:
            reader.stated("datasets", place, paths)
            return


def _paths(value: Json) -> list[str]:
    items = value if isinstance(value, list) else [value]
    found = [item.get("path") if isinstance(item, dict) else item for item in items]
    return [path for path in found if isinstance(path, str)]


def _loader_workers(reader: FieldReader) -> None:
    names = ("dataloader_num_workers", "dataloader_pin_memory", "dataloader_prefetch_factor")
    if any(reader.document.value(name) is not None for name in names):
        for name, value in zip(names, (0, True, None), strict=True):
            if reader.is_open(name):
                reader.default(name, value, "transformers, as one dataloader key is set")
        return
    reader.assumed(names[0], 1, "axolotl starts one worker per visible GPU; one GPU assumed")
    reader.default(names[1], True)
    reader.default(names[2], 256)


def _kernels(reader: FieldReader) -> None:
    plugins = reader.document.value("plugins")
    listed = [str(item) for item in plugins] if isinstance(plugins, list) else []
    place = reader.document.place("plugins")
    flags = [
        found.path
        for found in reader.document.places()
        if found.path.startswith("liger_") and reader.document.plain(found.value) is True
    ]
    if place is not None and any(LIGER_PLUGIN in name for name in listed):
        reader.stated("liger", place, bool(flags))
    else:
        reader.default("liger", False)
    kernels = [name for name in LORA_KERNELS if reader.held(name)]
    source = "kernels switched on in the file"
    if not kernels and _kernels_by_default(reader):
        kernels, source = list(LORA_KERNELS), "axolotl turns its LoRA kernels on by itself"
    cut = reader.document.value("cut_cross_entropy")
    if any(CUT_PLUGIN in name for name in listed) and cut is not False:
        kernels.append("cut_cross_entropy")
    if reader.held("chunked_cross_entropy"):
        kernels.append("chunked_cross_entropy")
    reader.derived("fused_kernels", kernels, source)


def _kernels_by_default(reader: FieldReader) -> bool:
    """The validator check_auto_enable_lora_kernels, for one process."""
    document = reader.document
    given = [document.value(name) for name in (*LORA_KERNELS, "lora_embedding_kernel")]
    adapter = document.value("adapter")
    return (
        adapter in ("lora", "qlora")
        and not any(value is not None for value in given)
        and not (adapter == "lora" and document.value("load_in_8bit"))
        and not any(reader.held(name) for name in ("rl", "trust_remote_code", "nvfp4_merge_aware"))
    )


def _sharding(reader: FieldReader) -> None:
    place = reader.held("fsdp_config") or reader.held("fsdp")
    if place is not None:
        reader.stated("fsdp", place, True)
        if reader.is_open("fsdp_cpu_offload"):
            reader.default("fsdp_cpu_offload", False)
        old = reader.document.place("fsdp")
        if old is not None and reader.document.plain(old.value):
            reader.notice("deprecated", "the fsdp list is deprecated: write fsdp_config", old)
    else:
        reader.default("fsdp", False)
    deepspeed = reader.held("deepspeed")
    if deepspeed is not None:
        read_deepspeed(reader, deepspeed)


def _intervals(reader: FieldReader) -> None:
    epochs = reader.value("num_epochs")
    for name, key in (("eval_steps", "evals_per_epoch"), ("save_steps", "saves_per_epoch")):
        times = reader.document.value(key)
        if not reader.is_open(name) or not isinstance(times, int | float) or times <= 0:
            continue
        if isinstance(epochs, int | float) and epochs > 0 and times * epochs > 1:
            share = 1 / (times * epochs)
            reader.derived(name, share, f"1 / ({key} x num_epochs), a share of the run")


def _precision(reader: FieldReader) -> None:
    """utils/config resolve_dtype: `bfloat16` and `float16` name the dtype of the weights alone."""
    whole = reader.held("bfloat16")
    if whole is not None and not reader.value("bf16"):
        reader.stated("bf16", whole, True)  # the builder takes bf16 or bfloat16
    bf16, fp16 = reader.value("bf16"), reader.value("fp16")
    half = fp16 or reader.held("float16") or reader.document.value("load_in_8bit")
    if (bf16 == "auto" and not fp16) or (bf16 and bf16 != "auto") or whole is not None:
        dtype = "bf16"
    else:
        dtype = "fp16" if half else "fp32"
    reader.derived("model_load_dtype", dtype, "axolotl loads the weights in the training dtype")


def _tracking(reader: FieldReader) -> None:
    found = []
    for name in TRACKERS:
        project = rf"^{name}_(project|project_name|experiment_name|tracking_uri)$"
        keys = [p for p in reader.document.places() if re.match(project, p.path)]
        named = any(reader.document.plain(p.value) for p in keys)
        on = reader.document.value(f"use_{name}")
        if on or (on is None and named):
            found.append(name)
    reader.derived("report_to", found, "the trackers that the file names")
