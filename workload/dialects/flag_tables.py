"""Key tables of programs that are set up by options alone: ms-swift, OpenRLHF, scripts with flags.

ms-swift: github:modelscope/ms-swift@3602360, swift/arguments/ and swift/trainers/arguments.py;
OpenRLHF: github:OpenRLHF/OpenRLHF@3c3be62, openrlhf/cli/train_*.py. Options of a script of one's
own follow TrainingArguments where the names agree; the rest are the usual names for the same thing
(github:haotian-liu/LLaVA, lm-sys/FastChat, huggingface/peft examples/sft, artidoro/qlora).
"""

from __future__ import annotations

from dataclasses import dataclass

from workload.dialects import Detection
from workload.dialects.flag_fields import (
    finish_megatron,
    finish_openrlhf,
    finish_script,
    finish_swift,
)
from workload.dialects.trl_recipe import TABLE as RECIPE
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import FieldReader, Key

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_SHARED = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps",
    "max_steps", "weight_decay", "max_grad_norm", "tf32", "torch_compile", "seed", "save_steps",
    "dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers",
    "dataloader_prefetch_factor", "ddp_find_unused_parameters", "warmup_steps", "report_to",
    "logging_steps", "eval_steps",
)  # fmt: skip
_OWN_SWIFT = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "weight_decay": 0.1,
    "logging_steps": 5,
    "seed": 42,
    "dataloader_persistent_workers": False,
    "dataloader_prefetch_factor": None,
}
"""Defaults that ms-swift sets anew over TrainingArguments."""
_COMPUTED_SWIFT = frozenset({"gradient_accumulation_steps", "dataloader_num_workers", "eval_steps",
                             "report_to"})  # fmt: skip
"""Options that ms-swift computes from others or from the machine where they are not given."""


def _shared(name: str) -> Key:
    if name in _OWN_SWIFT:
        return Key(name, (name,), default=_OWN_SWIFT[name])
    if name in _COMPUTED_SWIFT:
        return Key(name, (name,))
    return Key(name, (name,), keyword=name)


SWIFT_TABLE = (
    Key("model_id", ("model",)),
    Key("finetune_method", ("tuner_type", "train_type", "sft_type"), default="lora"),
    Key("model_load_dtype", ("torch_dtype",), words=DTYPES),
    Key("attn_implementation", ("attn_impl",), words={"flash_attn": "flash_attention_2"}),
    Key("device_map", ("device_map",)),
    Key("lora_r", ("lora_rank",), default=8),
    Key("lora_alpha", ("lora_alpha",), default=32),
    Key("lora_dropout", ("lora_dropout",), default=0.05),
    Key("lora_target_modules", ("target_modules",), default="all-linear"),
    Key("quant_bits", ("quant_bits", "quantization_bit"), default=None),
    Key("quant_type", ("bnb_4bit_quant_type",)),
    Key("max_seq_len", ("max_length",)),
    Key("packing", ("packing",), default=False),
    Key("padding_free", ("padding_free",), default=False),
    Key("group_by_length", ("group_by_length",), default=False),
    Key("preprocessing_num_workers", ("dataset_num_proc",), default=1),
    Key("eval_split", ("split_dataset_ratio",), default=0.0),
    Key("datasets", ("dataset",)),
    Key("bf16", ("bf16",)),
    Key("fp16", ("fp16",)),
    Key("gradient_checkpointing", ("gradient_checkpointing",), default=True),
    Key(
        "gradient_checkpointing_reentrant",
        ("gradient_checkpointing_kwargs.use_reentrant",),
    ),
    Key("liger", ("use_liger_kernel",), default=False),
    Key("optimizer", ("optim",), keyword="optim"),
    Key("learning_rate", ("learning_rate",)),
    Key("lr_scheduler", ("lr_scheduler_type",), default="cosine"),
    Key("warmup_ratio", ("warmup_ratio",), default=0.0),
    Key("num_epochs", ("num_train_epochs", "max_epochs"), keyword="num_train_epochs"),
    Key("context_parallel_size", ("sequence_parallel_size",), default=1),
    *(_shared(name) for name in _SHARED),
)
MEGATRON_TABLE = (
    Key("model_id", ("model", "load", "mcore_model")),
    Key("finetune_method", ("tuner_type", "train_type")),
    Key("lora_r", ("lora_rank",)),
    Key("lora_alpha", ("lora_alpha",)),
    Key("lora_dropout", ("lora_dropout",)),
    Key("lora_target_modules", ("target_modules",)),
    Key("max_seq_len", ("max_length",)),
    Key("packing", ("packing",)),
    Key("padding_free", ("padding_free",)),
    Key("preprocessing_num_workers", ("dataset_num_proc",)),
    Key("eval_split", ("split_dataset_ratio",)),
    Key("datasets", ("dataset",)),
    Key("model_load_dtype", ("torch_dtype",), words=DTYPES),
    Key("bf16", ("bf16",)),
    Key("fp16", ("fp16",)),
    Key("per_device_train_batch_size", ("micro_batch_size",)),
    Key("train_batch_size", ("global_batch_size",)),
    Key("learning_rate", ("lr", "learning_rate")),
    Key("lr_scheduler", ("lr_decay_style",)),
    Key("warmup_ratio", ("lr_warmup_fraction",)),
    Key("warmup_steps", ("lr_warmup_iters",)),
    Key("weight_decay", ("weight_decay",)),
    Key("max_grad_norm", ("clip_grad",)),
    Key("num_epochs", ("num_train_epochs", "max_epochs")),
    Key("max_steps", ("train_iters",)),
    Key("dataloader_num_workers", ("dataloader_num_workers", "num_workers")),
    Key("logging_steps", ("logging_steps", "log_interval")),
    Key("save_steps", ("save_steps", "save_interval")),
    Key("eval_steps", ("eval_steps", "eval_interval")),
    Key("seed", ("seed",)),
    Key("tensor_parallel_size", ("tensor_model_parallel_size",)),
    Key("context_parallel_size", ("context_parallel_size",)),
)
OPENRLHF_TABLE = (
    Key("model_id", ("model.model_name_or_path", "actor.model_name_or_path", "pretrain")),
    Key("per_device_train_batch_size", ("train.micro_batch_size", "micro_train_batch_size")),
    Key("train_batch_size", ("train.batch_size", "train_batch_size")),
    Key("max_seq_len", ("data.max_len", "max_len")),
    Key("num_epochs", ("train.max_epochs", "max_epochs")),
    Key("learning_rate", ("adam.lr", "actor.adam.lr", "learning_rate", "actor_learning_rate")),
    Key("lr_scheduler", ("lr_scheduler",)),
    Key("warmup_ratio", ("lr_warmup_ratio",)),
    Key("max_grad_norm", ("max_norm",)),
    Key("weight_decay", ("adam.weight_decay", "actor.adam.weight_decay", "l2")),
    Key("deepspeed_stage", ("ds.zero_stage", "zero_stage")),
    Key("bf16", ("bf16",)),
    Key("fp16", ("fp16",)),
    Key(
        "gradient_checkpointing",
        (
            "model.gradient_checkpointing_enable",
            "actor.gradient_checkpointing_enable",
            "gradient_checkpointing",
        ),
    ),
    Key("gradient_checkpointing_reentrant", ("gradient_checkpointing_use_reentrant",)),
    Key("packing", ("ds.packing_samples", "packing_samples")),
    Key("liger", ("ds.use_liger_kernel", "use_liger_kernel")),
    Key("lora_r", ("ds.lora.rank", "lora_rank")),
    Key("lora_alpha", ("ds.lora.alpha", "lora_alpha")),
    Key("lora_dropout", ("ds.lora.dropout", "lora_dropout")),
    Key("lora_target_modules", ("ds.lora.target_modules", "target_modules")),
    Key("datasets", ("data.dataset", "data.prompt_dataset", "dataset", "prompt_data")),
    Key("context_parallel_size", ("ds.ring_attn_size", "ring_attn_size")),
    Key("tensor_parallel_size", ("ds.tensor_parallel_size", "ds_tensor_parallel_size")),
    Key("num_processes", ("actor.num_gpus_per_node", "actor_num_gpus_per_node")),
    Key("num_machines", ("actor.num_nodes", "actor_num_nodes")),
    Key("logging_steps", ("logger.logging_steps", "logging_steps")),
    Key("save_steps", ("ckpt.save_steps", "save_steps")),
    Key("eval_steps", ("eval.steps", "eval_steps")),
    Key("seed", ("train.seed", "seed")),
)
_REPLACED = {
    "model_id": (
        "model_name_or_path", "model_id", "model_name", "base_model", "model_path", "model",
        "pretrained_model_name_or_path", "actor_model_name_or_path",
    ),
    "max_seq_len": (
        "max_length", "max_seq_length", "model_max_length", "max_seq_len", "cutoff_len",
        "block_size", "max_len",
    ),
    "per_device_train_batch_size": (
        "per_device_train_batch_size", "micro_batch_size", "per_device_training_batch_size",
    ),
    "learning_rate": ("learning_rate", "lr", "actor_learning_rate"),
    "weight_decay": ("weight_decay", "actor_weight_decay"),
    "warmup_steps": ("warmup_steps", "num_warmup_steps"),
    "num_epochs": ("num_train_epochs", "num_epochs", "epochs"),
    "max_steps": ("max_steps", "max_train_steps"),
    "gradient_checkpointing": (
        "gradient_checkpointing", "activation_checkpointing", "actor_gradient_checkpointing",
    ),
    "logging_steps": ("logging_steps", "log_interval"),
    "lora_r": ("lora_r", "lora_rank", "lora_dim", "actor_lora_dim"),
    "lora_target_modules": ("lora_target_modules", "target_modules", "lora_target"),
    "preprocessing_num_workers": ("dataset_num_proc", "preprocessing_num_workers"),
    "gradient_checkpointing_reentrant": (
        "gradient_checkpointing_kwargs.use_reentrant", "use_reentrant",
    ),
}  # fmt: skip
SCRIPT_TABLE = (
    *(
        Key(key.field, _REPLACED.get(key.field, key.names), keyword=key.keyword, words=key.words)
        for key in RECIPE
    ),
    Key("group_by_length", ("group_by_length",)),
    Key("eval_split", ("split_dataset_ratio", "test_size", "val_size")),
)


@dataclass(frozen=True)
class FlagDialect(YamlDialect):
    """A program that takes options which no list of ours holds in full: none is called unknown."""

    def _notice_keys(self, reader: FieldReader) -> None:
        return


def recognise(keys: frozenset[str]) -> Detection:
    """Options are never a file of their own."""
    return Detection(0.0, "options of a launch line")


SWIFT = FlagDialect(
    format="sh_launcher",
    framework="ms-swift",
    loader="pyyaml",
    table=SWIFT_TABLE,
    packages=("ms-swift", "transformers"),
    recognise=recognise,
    finish=finish_swift,
    specials={},
    key_files=(),
    unknown_keys_stop=False,
)
MEGATRON_SWIFT = FlagDialect(
    format="sh_launcher",
    framework="ms-swift",
    loader="pyyaml",
    table=MEGATRON_TABLE,
    packages=("ms-swift",),
    recognise=recognise,
    finish=finish_megatron,
    specials={},
    key_files=(),
    unknown_keys_stop=False,
)
OPENRLHF = FlagDialect(
    format="sh_launcher",
    framework="openrlhf",
    loader="pyyaml",
    table=OPENRLHF_TABLE,
    packages=(),
    recognise=recognise,
    finish=finish_openrlhf,
    specials={},
    key_files=(),
    unknown_keys_stop=False,
)
SCRIPT = FlagDialect(
    format="sh_launcher",
    framework="hf",
    loader="pyyaml",
    table=SCRIPT_TABLE,
    packages=("transformers",),
    recognise=recognise,
    finish=finish_script,
    specials={},
    key_files=(),
    unknown_keys_stop=False,
)
