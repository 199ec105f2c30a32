"""The names that a rule's condition may use, each with the types its value can have.

Field names are the 66 normalised names of a training file plus a few of our own; the rest are the
card, the projected profile, the data lengths and the size of the job. A name that is not listed
here is an error when the rules are loaded, so a misspelt condition cannot lie dead.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Type = Literal["boolean", "number", "text", "list", "mapping", "version"]


class Kind(NamedTuple):
    """What a name can hold. Null is always possible; `choices` closes a text."""

    types: frozenset[Type]
    choices: frozenset[str] | None = None


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


FRAMEWORKS = _set(
    "hf trl peft axolotl llamafactory torchtune accelerate deepspeed ms-swift litgpt verl_sft"
    " unsloth nemo_rl openrlhf primus open-instruct torch"
)
VENDORS = _set("amd nvidia cpu")
METHODS = _set(
    "full lora qlora dora freeze oft qoft galore badam apollo lisa vera ia3 prefix prompt adapter"
    " llama-adapter relora"
)
TASKS = _set(
    "sft pretrain dpo ipo kto orpo simpo grpo gdpo rloo ppo reward kd classification embedding"
    " inference ebft online_dpo prm"
)
DTYPES = _set("bf16 fp16 fp32 fp8")

_BOOLEANS = (
    "gradient_checkpointing_reentrant dataloader_pin_memory dataloader_persistent_workers"
    " fsdp_cpu_offload trust_remote_code use_kv_cache ddp_find_unused_parameters padding_free"
    " pad_to_max_length group_by_length pad_token_is_eos"
)
_SWITCHES = (
    "bf16 fp16 tf32 fp8 packing gradient_checkpointing activation_offloading fsdp torch_compile"
    " liger"
)
"""A boolean, or the name of a mode: `bf16: auto`, `gradient_checkpointing: offload`."""
_NUMBERS = (
    "per_device_train_batch_size gradient_accumulation_steps train_batch_size"
    " per_device_eval_batch_size max_seq_len learning_rate warmup_steps warmup_ratio num_epochs"
    " max_steps weight_decay max_grad_norm lora_r lora_alpha lora_dropout quant_bits"
    " deepspeed_stage num_processes num_machines tensor_parallel_size context_parallel_size"
    " dataloader_num_workers dataloader_prefetch_factor preprocessing_num_workers logging_steps"
    " save_steps eval_steps eval_split seed effective_batch"
)
_TEXTS = (
    "model_id model_load_dtype attn_implementation optimizer lr_scheduler quant_type"
    " offload_optimizer offload_param"
)


def _kinds() -> dict[str, Kind]:
    groups: tuple[tuple[str, tuple[Type, ...]], ...] = (
        (_BOOLEANS, ("boolean",)),
        (_SWITCHES, ("boolean", "text")),
        (_NUMBERS, ("number",)),
        (_TEXTS, ("text",)),
        ("lora_target_modules report_to datasets", ("list", "text")),
        ("fused_kernels", ("list",)),
        ("grpo_block env device_map", ("mapping", "text")),
    )
    kinds = {name: Kind(frozenset(types)) for names, types in groups for name in names.split()}
    text: frozenset[Type] = frozenset({"text"})
    kinds["framework"] = Kind(text, FRAMEWORKS)
    kinds["task"] = Kind(text, TASKS)
    kinds["finetune_method"] = Kind(text, METHODS)
    kinds["compute_dtype"] = Kind(text, DTYPES)
    return kinds


FIELDS: dict[str, Kind] = _kinds()
"""Normalised fields of a workload: 66 of the field map, and effective_batch, compute_dtype,
pad_token_is_eos and device_map. A variable is `env.NAME` in a condition, `env:NAME` as a field."""

FIT_VARIANTS: tuple[str, ...] = (
    "as_written",
    "no_checkpointing",
    "unquantized",
    "unquantized_no_checkpointing",
    "unfused_optimizer",
    "double_micro_batch",
)
_NUMBER = Kind(frozenset({"number"}))
_TEXT = Kind(frozenset({"text"}))

SURROUNDINGS: dict[str, Kind] = {
    "format": _TEXT,
    "gpus": _NUMBER,
    "nodes": _NUMBER,
    "hardware.id": _TEXT,
    "hardware.name": _TEXT,
    "hardware.vendor": Kind(frozenset({"text"}), VENDORS),
    "hardware.arch": _TEXT,
    "hardware.memory_gb": _NUMBER,
    "hardware.generation": _TEXT,
    "hardware.bf16": Kind(frozenset({"boolean"})),
    "lengths.p50": _NUMBER,
    "lengths.p95": _NUMBER,
    "lengths.max": _NUMBER,
    "lengths.origin": Kind(frozenset({"text"}), frozenset({"stated", "assumed"})),
    "profile.micro_batch_max": _NUMBER,
    "profile.padding_efficiency": _NUMBER,
    "versions_stated": Kind(frozenset({"boolean"})),
    **{
        f"profile.fit.{variant}.{figure}": _NUMBER
        for variant in FIT_VARIANTS
        for figure in ("share", "peak_gb", "high_gb")
    },
}
"""Names beside the file's own fields. `gpus` is per node."""

_VARIABLE = re.compile(r"env\.[A-Z][A-Z0-9_]*")


def kind_of(name: str) -> Kind | None:
    """What `name` can hold; None where no such name exists."""
    if _VARIABLE.fullmatch(name):
        return _TEXT
    return FIELDS.get(name) or SURROUNDINGS.get(name)


def is_field(name: str) -> bool:
    """Whether `name` can be read and edited in a file: a field, or a variable as `env:NAME`."""
    return name in FIELDS or (name.startswith("env:") and name[4:].isupper())
