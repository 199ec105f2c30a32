"""Which keyword of which class is which field of a workload, in Python scripts."""

from __future__ import annotations

CONFIG: dict[str, str] = {
    "per_device_train_batch_size": "per_device_train_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_device_eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "learning_rate": "learning_rate",
    "lr_scheduler_type": "lr_scheduler",
    "warmup_steps": "warmup_steps",
    "warmup_ratio": "warmup_ratio",
    "num_train_epochs": "num_epochs",
    "max_steps": "max_steps",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "optim": "optimizer",
    "bf16": "bf16",
    "fp16": "fp16",
    "tf32": "tf32",
    "torch_compile": "torch_compile",
    "use_liger_kernel": "liger",
    "use_liger": "liger",
    "dataloader_num_workers": "dataloader_num_workers",
    "dataloader_pin_memory": "dataloader_pin_memory",
    "dataloader_prefetch_factor": "dataloader_prefetch_factor",
    "dataloader_persistent_workers": "dataloader_persistent_workers",
    "logging_steps": "logging_steps",
    "save_steps": "save_steps",
    "eval_steps": "eval_steps",
    "seed": "seed",
    "report_to": "report_to",
    "ddp_find_unused_parameters": "ddp_find_unused_parameters",
    "max_length": "max_seq_len",
    "max_seq_length": "max_seq_len",
    "packing": "packing",
    "padding_free": "padding_free",
    "dataset_num_proc": "preprocessing_num_workers",
    "activation_offloading": "activation_offloading",
    "trust_remote_code": "trust_remote_code",
    "use_cache": "use_kv_cache",
    "group_by_length": "group_by_length",
}
"""Argument classes of transformers and TRL. Where two spellings are given the later one wins."""

TRAINER: dict[str, str] = {
    "max_seq_length": "max_seq_len",
    "max_length": "max_seq_len",
    "packing": "packing",
    "dataset_num_proc": "preprocessing_num_workers",
}
"""Keywords that trainers of TRL before 0.13 took themselves; they win over the config's."""

MODEL: dict[str, str] = {
    "attn_implementation": "attn_implementation",
    "_attn_implementation": "attn_implementation",
    "torch_dtype": "model_load_dtype",
    "dtype": "model_load_dtype",
    "device_map": "device_map",
    "trust_remote_code": "trust_remote_code",
    "use_cache": "use_kv_cache",
}
"""`from_pretrained` and TRL's `model_init_kwargs`."""

LORA: dict[str, str] = {
    "r": "lora_r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "target_modules": "lora_target_modules",
}

GRPO: tuple[str, ...] = (
    "num_generations",
    "max_prompt_length",
    "max_completion_length",
    "beta",
    "use_vllm",
    "vllm_mode",
    "vllm_gpu_memory_utilization",
    "num_iterations",
    "loss_type",
    "temperature",
    "epsilon",
)
"""Keywords of GRPOConfig and RLOOConfig that make the field `grpo_block`."""

PREFERRED: dict[str, str] = {
    field: keyword
    for keyword, field in reversed(CONFIG.items())
    if keyword not in ("max_seq_length", "use_liger")
}
"""Field -> the keyword that is written where the file has none."""
PREFERRED["gradient_checkpointing"] = "gradient_checkpointing"
PREFERRED["fsdp"] = "fsdp"
TRL_ONLY: frozenset[str] = frozenset(
    {
        "max_seq_len",
        "packing",
        "padding_free",
        "preprocessing_num_workers",
        "activation_offloading",
    }
)
"""Fields that TrainingArguments itself has no keyword for."""

ENUMERATIONS: frozenset[str] = frozenset(
    {"OptimizerNames", "SchedulerType", "IntervalStrategy", "SaveStrategy", "HubStrategy"}
)
"""Enumerations of transformers; a member's value is its name in lower case."""
