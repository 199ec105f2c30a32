"""How an axolotl YAML is read and edited: its key table.

Keys and defaults: github:axolotl-ai-cloud/axolotl@067b021 (0.18.0), src/axolotl/utils/schemas/.
"""

from __future__ import annotations

from workload.dialects import Detection
from workload.dialects.axolotl_edits import SPECIALS
from workload.dialects.axolotl_fields import finish
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key

TABLE = (
    Key("model_id", ("base_model",)),
    Key("trust_remote_code", ("trust_remote_code",), default=False),
    Key("device_map", ("device_map",)),
    Key("finetune_method", ("adapter",), default="full"),
    Key("lora_r", ("lora_r",)),
    Key("lora_alpha", ("lora_alpha",)),
    Key("lora_dropout", ("lora_dropout",), default=0.0),
    Key("lora_target_modules", ("lora_target_modules",)),
    Key("max_seq_len", ("sequence_len",), default=512),
    Key("packing", ("sample_packing",), default=False),
    Key("padding_free", ("batch_flattening", "dpo_padding_free"), default=False),
    Key("pad_to_max_length", ("pad_to_sequence_len",)),
    Key("eval_split", ("val_set_size",), default=0.0),
    Key(
        "preprocessing_num_workers",
        ("dataset_num_proc", "dataset_processes"),
        deprecated={"dataset_processes": "dataset_num_proc"},
    ),
    Key("per_device_train_batch_size", ("micro_batch_size",), default=1),
    Key("gradient_accumulation_steps", ("gradient_accumulation_steps",)),
    Key("train_batch_size", ("batch_size",)),
    Key("per_device_eval_batch_size", ("eval_batch_size",)),
    Key("num_epochs", ("num_epochs",), default=1.0),
    Key("max_steps", ("max_steps",)),
    Key("optimizer", ("optimizer",), default="adamw_torch_fused"),
    Key("lr_scheduler", ("lr_scheduler",), default="cosine"),
    Key("learning_rate", ("learning_rate",)),
    Key("warmup_steps", ("warmup_steps",)),
    Key("warmup_ratio", ("warmup_ratio",)),
    Key("weight_decay", ("weight_decay",), default=0.0),
    Key("max_grad_norm", ("max_grad_norm",), keyword="max_grad_norm"),
    Key("group_by_length", ("group_by_length",), default=False),
    Key("bf16", ("bf16",), default="auto"),
    Key("fp16", ("fp16",), default=False),
    Key("tf32", ("tf32",), default="auto"),
    Key("fp8", ("fp8",), default=False),
    Key("gradient_checkpointing", ("gradient_checkpointing",), default=False),
    Key("gradient_checkpointing_reentrant", ("gradient_checkpointing_kwargs.use_reentrant",)),
    Key("activation_offloading", ("activation_offloading",), default=False),
    Key("attn_implementation", ("attn_implementation",)),
    Key("torch_compile", ("torch_compile",), default=False, words={"auto": True}),
    Key("dataloader_num_workers", ("dataloader_num_workers",)),
    Key("dataloader_pin_memory", ("dataloader_pin_memory",)),
    Key("dataloader_prefetch_factor", ("dataloader_prefetch_factor",)),
    Key("logging_steps", ("logging_steps",)),
    Key("eval_steps", ("eval_steps",)),
    Key("save_steps", ("save_steps",)),
    Key("seed", ("seed",), keyword="seed"),
    Key("tensor_parallel_size", ("tensor_parallel_size",), default=1),
    Key(
        "context_parallel_size",
        ("context_parallel_size", "sequence_parallel_degree"),
        default=1,
        deprecated={"sequence_parallel_degree": "context_parallel_size"},
    ),
    Key("ddp_find_unused_parameters", ("ddp_find_unused_parameters",)),
    Key(
        "fsdp_cpu_offload",
        ("fsdp_config.offload_params", "fsdp_config.fsdp_offload_params"),
        deprecated={"fsdp_config.fsdp_offload_params": "fsdp_config.offload_params"},
    ),
)


def recognise(keys: frozenset[str]) -> Detection:
    """`base_model` with keys that only axolotl has."""
    own = keys & {
        "micro_batch_size", "sequence_len", "sample_packing", "adapter", "val_set_size", "datasets",
        "pad_to_sequence_len", "dataset_prepared_path", "lora_target_linear", "special_tokens",
        "evals_per_epoch", "saves_per_epoch", "pretraining_dataset", "wandb_project", "rl",
        "flash_attention", "train_on_inputs", "num_epochs", "lora_model_dir", "strict",
    }  # fmt: skip
    if "base_model" in keys and own:
        score = 0.7 + min(len(own), 6) * 0.05
        return Detection(score, f"axolotl: base_model with {', '.join(sorted(own)[:3])}")
    if len(own) >= 3 and "model_name_or_path" not in keys:
        return Detection(0.55, f"axolotl keys without base_model: {', '.join(sorted(own)[:3])}")
    return Detection(0.0, "no axolotl keys")


AXOLOTL = YamlDialect(
    format="axolotl_yaml",
    framework="axolotl",
    loader="pyyaml",
    table=TABLE,
    packages=("axolotl", "transformers", "trl", "peft"),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("axolotl.txt",),
    unknown_keys_stop=False,
    key_prefixes=("swanlab_", "use_swanlab"),
)
