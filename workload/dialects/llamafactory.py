"""How a LLaMA-Factory YAML is read and edited: its key table.

Keys and defaults: github:hiyouga/LLaMA-Factory@ff6d4d1 (0.9.6.dev0), src/llamafactory/hparams/;
keys without a default of its own follow the transformers version (Seq2SeqTrainingArguments).
"""

from __future__ import annotations

from workload.dialects import Detection
from workload.dialects.llamafactory_edits import SPECIALS
from workload.dialects.llamafactory_fields import ATTENTION, finish
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key

TABLE = (
    Key("model_id", ("model_name_or_path",)),
    Key("trust_remote_code", ("trust_remote_code",), default=False),
    Key("attn_implementation", ("flash_attn",), default="auto", words=ATTENTION, closed=True),
    Key("task", ("stage",), default="sft", words={"pt": "pretrain", "rm": "reward"}),
    Key("finetune_method", ("finetuning_type",), default="lora"),
    Key("lora_r", ("lora_rank",), default=8),
    Key("lora_alpha", ("lora_alpha",)),
    Key("lora_dropout", ("lora_dropout",), default=0.0),
    Key(
        "lora_target_modules",
        ("lora_target",),
        default="all-linear",
        words={"all": "all-linear"},
    ),
    Key("quant_bits", ("quantization_bit",), default=None),
    Key("quant_type", ("quantization_type",)),
    Key("datasets", ("dataset",)),
    Key("max_seq_len", ("cutoff_len",), default=2048),
    Key("packing", ("packing",)),
    Key("padding_free", ("neat_packing",), default=False),
    Key("preprocessing_num_workers", ("preprocessing_num_workers",), default=None),
    Key("dataloader_num_workers", ("dataloader_num_workers",), keyword="dataloader_num_workers"),
    Key("dataloader_pin_memory", ("dataloader_pin_memory",), keyword="dataloader_pin_memory"),
    Key(
        "dataloader_persistent_workers",
        ("dataloader_persistent_workers",),
        keyword="dataloader_persistent_workers",
    ),
    Key(
        "dataloader_prefetch_factor",
        ("dataloader_prefetch_factor",),
        keyword="dataloader_prefetch_factor",
    ),
    Key("logging_steps", ("logging_steps",), keyword="logging_steps"),
    Key("save_steps", ("save_steps",), keyword="save_steps"),
    Key(
        "per_device_train_batch_size",
        ("per_device_train_batch_size", "per_gpu_train_batch_size"),
        keyword="per_device_train_batch_size",
    ),
    Key(
        "gradient_accumulation_steps",
        ("gradient_accumulation_steps",),
        keyword="gradient_accumulation_steps",
    ),
    Key("learning_rate", ("learning_rate",), keyword="learning_rate"),
    Key("num_epochs", ("num_train_epochs",), keyword="num_train_epochs"),
    Key("max_steps", ("max_steps",), keyword="max_steps"),
    Key("lr_scheduler", ("lr_scheduler_type",), keyword="lr_scheduler_type"),
    Key("warmup_ratio", ("warmup_ratio",), keyword="warmup_ratio"),
    Key("warmup_steps", ("warmup_steps",), keyword="warmup_steps"),
    Key("weight_decay", ("weight_decay",), keyword="weight_decay"),
    Key("max_grad_norm", ("max_grad_norm",), keyword="max_grad_norm"),
    Key("optimizer", ("optim",), keyword="optim"),
    Key("bf16", ("bf16", "pure_bf16"), keyword="bf16"),
    Key("fp16", ("fp16",), keyword="fp16"),
    Key("tf32", ("tf32",), keyword="tf32"),
    Key("fp8", ("fp8",), default=False),
    Key(
        "gradient_checkpointing",
        ("disable_gradient_checkpointing",),
        default=True,
        inverted=True,
    ),
    Key("gradient_checkpointing_reentrant", ("use_reentrant_gc",), default=True),
    Key("liger", ("enable_liger_kernel",), default=False),
    Key("torch_compile", ("torch_compile",), keyword="torch_compile"),
    Key("use_kv_cache", ("use_kv_cache",), default=True),
    Key(
        "ddp_find_unused_parameters",
        ("ddp_find_unused_parameters",),
        keyword="ddp_find_unused_parameters",
    ),
    Key("seed", ("seed",), keyword="seed"),
    Key("report_to", ("report_to",), keyword="report_to"),
    Key("eval_split", ("val_size",), default=0.0),
    Key(
        "per_device_eval_batch_size",
        ("per_device_eval_batch_size",),
        keyword="per_device_eval_batch_size",
    ),
    Key("eval_steps", ("eval_steps",), keyword="eval_steps"),
)


def recognise(keys: frozenset[str]) -> Detection:
    """`model_name_or_path` with keys that only LLaMA-Factory has."""
    own = keys & {
        "stage", "finetuning_type", "template", "cutoff_len", "lora_rank", "lora_target",
        "dataset_dir", "quantization_bit", "flash_attn", "infer_backend", "export_dir", "val_size",
        "neat_packing", "plot_loss", "overwrite_cache", "max_samples", "adapter_name_or_path",
        "disable_gradient_checkpointing", "enable_liger_kernel", "pref_beta", "tokenized_path",
    }  # fmt: skip
    telling = own & {"stage", "finetuning_type", "template", "cutoff_len", "infer_backend"}
    named = "model_name_or_path" in keys
    if telling and (named or len(own) >= 3):
        score = min(0.98, (0.7 if named else 0.5) + len(own) * 0.05)
        return Detection(score, f"LLaMA-Factory: {', '.join(sorted(own)[:3])}")
    return Detection(0.0, "no LLaMA-Factory keys")


LLAMAFACTORY = YamlDialect(
    format="llamafactory_yaml",
    framework="llamafactory",
    loader="omegaconf",
    table=TABLE,
    packages=("llamafactory", "transformers", "trl", "peft"),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("llamafactory.txt", "transformers.txt"),
    unknown_keys_stop=True,
)
