"""Defaults of transformers, TRL and PEFT argument classes by release; training-speed keywords only.

Introspected from the PyPI releases named in `workload.versions.KNOWN` on 2026-11-20 (transformers
training_args.py and modeling_utils.py, trl/trainer/*_config.py, peft/tuners/lora/config.py); TRL
0.17 to 0.22 read at their tags of github:huggingface/trl. A keyword that a release does not have
is absent for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from audit.records.base import Json
from workload.versions import KNOWN, is_at_least, nearest_known


class Default(NamedTuple):
    """What a keyword is when the file does not set it."""

    value: Json
    source: str
    """`transformers 5.23.0`, with the release the figure was read from where that is another."""


Table = dict[str, Json]

TRAINING_ARGUMENTS: Table = {
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "num_train_epochs": 3.0,
    "max_steps": -1,
    "learning_rate": 5e-05,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0,
    "optim": "adamw_torch_fused",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "bf16": False,
    "fp16": False,
    "tf32": None,
    "torch_compile": False,
    "use_liger_kernel": False,
    "logging_steps": 500,
    "save_strategy": "steps",
    "save_steps": 500,
    "eval_strategy": "no",
    "eval_steps": None,
    "seed": 42,
    "dataloader_num_workers": 0,
    "dataloader_pin_memory": True,
    "dataloader_persistent_workers": False,
    "dataloader_prefetch_factor": None,
    "ddp_find_unused_parameters": None,
    "fsdp": None,
    "deepspeed": None,
}
TRAINING_ARGUMENTS_BY_RELEASE: dict[str, Table] = {
    "4.57.6": {
        "gradient_checkpointing": False,
        "gradient_checkpointing_reentrant": True,
        "group_by_length": False,
        "report_to": "all",
        "warmup_ratio": 0.0,
    },
    "5.8.0": {
        "gradient_checkpointing": False,
        "gradient_checkpointing_reentrant": False,
        "train_sampling_strategy": "random",
        "report_to": "none",
        "use_cache": False,
        "warmup_ratio": None,
    },
    "5.14.1": {
        "gradient_checkpointing": False,
        "gradient_checkpointing_reentrant": False,
        "train_sampling_strategy": "random",
        "report_to": "none",
        "use_cache": False,
        "warmup_ratio": None,
    },
    "5.23.0": {
        "activation_checkpointing": None,
        "gradient_checkpointing": False,
        "gradient_checkpointing_reentrant": False,
        "train_sampling_strategy": "random",
        "report_to": "none",
        "use_cache": False,
    },
}
"""`gradient_checkpointing_reentrant` is what `gradient_checkpointing_kwargs` defaults to in
modeling_utils.py; `gradient_checkpointing` is null in 5.23 and resolves to false; `report_to` null
means all installed trackers in 4.x."""

TRL_BASE: Table = {"bf16": True, "gradient_checkpointing": True, "logging_steps": 10}
"""base_config.py: `bf16` is null and becomes true unless `fp16` is set; the same from 0.22 on. The
TRL trainers set `use_reentrant` to false from 0.27 on."""
_BEFORE_0_22: Table = {"gradient_checkpointing": False}
_BEFORE_0_19: Table = {"gradient_checkpointing": False, "bf16": False, "logging_steps": 500}
TRL_CLASSES: dict[str, Table] = {
    "SFTConfig": {
        "learning_rate": 2e-05,
        "max_length": 1024,
        "packing": False,
        "packing_strategy": "bfd",
        "padding_free": False,
        "dataset_num_proc": None,
        "activation_offloading": False,
    },
    "DPOConfig": {
        "learning_rate": 1e-06,
        "max_length": 1024,
        "padding_free": False,
        "dataset_num_proc": None,
        "beta": 0.1,
    },
    "KTOConfig": {
        "learning_rate": 1e-06,
        "max_length": 1024,
        "dataset_num_proc": None,
        "beta": 0.1,
    },
    "RewardConfig": {
        "learning_rate": 1e-04,
        "max_length": 1024,
        "dataset_num_proc": None,
        "activation_offloading": False,
    },
    "GRPOConfig": {
        "learning_rate": 1e-06,
        "num_generations": 8,
        "use_vllm": False,
        "vllm_gpu_memory_utilization": 0.3,
        "num_iterations": 1,
        "beta": 0.0,
    },
    "RLOOConfig": {
        "learning_rate": 1e-06,
        "num_generations": 2,
        "use_vllm": False,
        "vllm_gpu_memory_utilization": 0.3,
        "num_iterations": 1,
        "beta": 0.05,
    },
}
TRL_BY_RELEASE: dict[str, dict[str, Table]] = {
    "0.17.0": {
        **dict.fromkeys(TRL_CLASSES, _BEFORE_0_19),
        "RewardConfig": {**_BEFORE_0_19, "learning_rate": 5e-05},
        "GRPOConfig": {
            **_BEFORE_0_19,
            "max_completion_length": 256,
            "vllm_gpu_memory_utilization": None,
            "beta": 0.04,
        },
    },
    "0.19.1": {
        **dict.fromkeys(TRL_CLASSES, _BEFORE_0_22),
        "SFTConfig": {**_BEFORE_0_22, "packing_strategy": "ffd", "pad_to_multiple_of": None},
        "RewardConfig": {**_BEFORE_0_22, "learning_rate": 5e-05},
        "GRPOConfig": {**_BEFORE_0_22, "max_completion_length": 256, "vllm_mode": "server"},
    },
    "0.22.0": {
        "SFTConfig": {"pad_to_multiple_of": None},
        "RewardConfig": {"learning_rate": 5e-05},
        "GRPOConfig": {"max_completion_length": 256, "vllm_mode": "server"},
    },
    "0.24.0": {
        "SFTConfig": {"pad_to_multiple_of": None},
        "GRPOConfig": {"max_completion_length": 256, "vllm_mode": "server"},
    },
    "1.8.0": {
        "SFTConfig": {"pad_to_multiple_of": None, "trust_remote_code": False},
        "DPOConfig": {"activation_offloading": False, "trust_remote_code": False},
        "GRPOConfig": {
            "max_completion_length": 256,
            "vllm_mode": "colocate",
            "trust_remote_code": False,
        },
    },
    "1.16.0": {
        "SFTConfig": {"pad_to_multiple_of": "auto", "trust_remote_code": False},
        "DPOConfig": {"activation_offloading": False, "trust_remote_code": False},
        "GRPOConfig": {
            "max_completion_length": 512,
            "vllm_mode": "colocate",
            "trust_remote_code": False,
        },
        "KTOConfig": {"train_sampling_strategy": "sequential", "activation_offloading": False},
    },
}
MODEL_CONFIG: Table = {
    "attn_implementation": None,
    "use_peft": False,
    "lora_r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.05,
    "lora_target_modules": None,
    "use_dora": False,
    "load_in_8bit": False,
    "load_in_4bit": False,
    "bnb_4bit_quant_type": "nf4",
    "use_bnb_nested_quant": False,
}
MODEL_CONFIG_BY_RELEASE: dict[str, Table] = {
    "0.17.0": {"torch_dtype": None, "trust_remote_code": False},
    "0.19.1": {"torch_dtype": None, "trust_remote_code": False},
    "0.22.0": {"torch_dtype": None, "trust_remote_code": False},
    "0.24.0": {"torch_dtype": None, "trust_remote_code": False},
    "1.8.0": {"dtype": "float32"},
    "1.16.0": {"dtype": "float32"},
}
LORA_CONFIG: Table = {
    "r": 8,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "target_modules": None,
    "use_dora": False,
    "use_rslora": False,
}
BITS_AND_BYTES_CONFIG: Table = {
    "load_in_4bit": False,
    "load_in_8bit": False,
    "bnb_4bit_quant_type": "fp4",
    "bnb_4bit_compute_dtype": "float32",
    "bnb_4bit_use_double_quant": False,
}
"""Executed with transformers 5.23.0; the same keywords in 4.x."""

REMOVED: dict[str, tuple[str, str]] = {
    "evaluation_strategy": ("4.57", "eval_strategy"),
    "group_by_length": ("5.0", "train_sampling_strategy: group_by_length"),
    "half_precision_backend": ("5.0", ""),
    "fp16_backend": ("5.0", ""),
    "fp16_opt_level": ("5.0", ""),
    "no_cuda": ("5.0", "use_cpu"),
    "overwrite_output_dir": ("5.0", ""),
    "per_gpu_train_batch_size": ("5.0", "per_device_train_batch_size"),
    "per_gpu_eval_batch_size": ("5.0", "per_device_eval_batch_size"),
    "save_safetensors": ("5.0", ""),
    "adafactor": ("5.0", "optim: adafactor"),
    "fsdp_min_num_params": ("5.0", "fsdp_config.min_num_params"),
    "fsdp_transformer_layer_cls_to_wrap": ("5.0", "fsdp_config.transformer_layer_cls_to_wrap"),
    "push_to_hub_token": ("5.0", "hub_token"),
    "push_to_hub_model_id": ("5.0", "hub_model_id"),
    "torchdynamo": ("5.0", "torch_compile_backend"),
    "warmup_ratio": ("5.23", "warmup_steps below 1"),
}
"""TrainingArguments keyword -> the first of the releases above without it, and what to write."""


def removed_keyword(keyword: str, transformers: str) -> str | None:
    """Why TrainingArguments of this version refuses a keyword; None where it has it."""
    since, instead = REMOVED.get(keyword, ("", ""))
    if not since or not is_at_least(transformers, since):
        return None
    message = f"transformers {transformers} has no {keyword}"
    return f"{message}: write {instead}" if instead else message


def config_defaults(class_name: str, versions: Mapping[str, str]) -> dict[str, Default]:
    """Keyword -> default of an argument class, inherited keywords included; {} where unknown.

    Args:
        class_name: TrainingArguments, SFTConfig, DPOConfig, KTOConfig, RewardConfig, GRPOConfig,
            RLOOConfig, ModelConfig, LoraConfig or BitsAndBytesConfig.
        versions: package -> version; a package that is missing counts as its newest known release.
    """
    if class_name == "LoraConfig":
        return _sourced("peft", LORA_CONFIG, {}, versions)
    if class_name == "BitsAndBytesConfig":
        return _sourced("transformers", BITS_AND_BYTES_CONFIG, {}, versions)
    if class_name == "ModelConfig":
        return _sourced("trl", MODEL_CONFIG, MODEL_CONFIG_BY_RELEASE, versions)
    base = _sourced("transformers", TRAINING_ARGUMENTS, TRAINING_ARGUMENTS_BY_RELEASE, versions)
    if class_name == "TrainingArguments":
        return base
    if class_name not in TRL_CLASSES:
        return {}
    own = {**TRL_BASE, **TRL_CLASSES[class_name]}
    if is_at_least(versions.get("trl") or KNOWN["trl"][-1], "0.27"):
        own["gradient_checkpointing_reentrant"] = False
    drift = {release: tables.get(class_name, {}) for release, tables in TRL_BY_RELEASE.items()}
    return {**base, **_sourced("trl", own, drift, versions)}


def default_source(package: str, versions: Mapping[str, str]) -> str:
    """`trl 1.16.0`, or `trl 1.9.0 (figures of 1.8.0)` where that release was not introspected."""
    version = versions.get(package) or KNOWN[package][-1]
    known = nearest_known(package, version)
    return f"{package} {version}" + ("" if known == version else f" (figures of {known})")


def _sourced(
    package: str, table: Table, by_release: dict[str, Table], versions: Mapping[str, str]
) -> dict[str, Default]:
    known = nearest_known(package, versions.get(package) or KNOWN[package][-1])
    source = default_source(package, versions)
    values = {**table, **by_release.get(known, {})}
    return {keyword: Default(value, source) for keyword, value in values.items()}
