"""How a recipe for TRL's parser is read and edited: TRL, alignment-handbook, open-r1 and kin.

Keys: the dataclasses of github:huggingface/trl (0.9 to 1.9), huggingface/alignment-handbook@925acdf
and huggingface/open-r1@1416fa0; defaults by release from `defaults.hugging_face`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.finding import FieldEdit
from workload.dialects import Change, Detection, Reading
from workload.dialects.defaults.hugging_face import Default, config_defaults, removed_keyword
from workload.dialects.trl_recipe_edits import SPECIALS, edit_variable
from workload.dialects.trl_recipe_fields import DTYPES, finish
from workload.dialects.trl_recipe_task import CONFIG_OF, guess_task
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key
from workload.source import SourceText
from workload.splice.yaml_document import Document
from workload.versions import is_at_least


def _same(field: str, *more: str, **options: object) -> Key:
    """A field whose key is a keyword of the argument classes."""
    return Key(field, more or (field,), keyword=(more or (field,))[0], **options)  # type: ignore[arg-type]


TABLE = (
    Key("model_id", ("model_name_or_path",)),
    Key("model_load_dtype", ("dtype", "torch_dtype"), keyword="dtype", words=DTYPES),
    _same("attn_implementation"),
    _same("trust_remote_code"),
    _same("lora_r"),
    _same("lora_alpha"),
    _same("lora_dropout"),
    _same("lora_target_modules"),
    Key("max_seq_len", ("max_length", "max_seq_length"), keyword="max_length"),
    _same("packing"),
    _same("padding_free"),
    Key("preprocessing_num_workers", ("dataset_num_proc",), keyword="dataset_num_proc"),
    _same("bf16"),
    _same("fp16"),
    _same("tf32"),
    _same("per_device_train_batch_size"),
    _same("per_device_eval_batch_size"),
    _same("gradient_accumulation_steps"),
    _same("gradient_checkpointing"),
    Key(
        "gradient_checkpointing_reentrant",
        ("gradient_checkpointing_kwargs.use_reentrant",),
        keyword="gradient_checkpointing_reentrant",
    ),
    _same("activation_offloading"),
    Key("liger", ("use_liger_kernel", "use_liger"), keyword="use_liger_kernel"),
    _same("torch_compile"),
    Key("optimizer", ("optim",), keyword="optim"),
    _same("learning_rate"),
    Key("lr_scheduler", ("lr_scheduler_type",), keyword="lr_scheduler_type"),
    _same("warmup_ratio"),
    _same("warmup_steps"),
    _same("weight_decay"),
    _same("max_grad_norm"),
    Key("num_epochs", ("num_train_epochs",), keyword="num_train_epochs"),
    _same("max_steps"),
    _same("dataloader_num_workers"),
    _same("dataloader_pin_memory"),
    _same("dataloader_persistent_workers"),
    _same("dataloader_prefetch_factor"),
    _same("ddp_find_unused_parameters"),
    _same("logging_steps"),
    _same("save_steps"),
    _same("eval_steps"),
    _same("seed"),
    _same("report_to"),
    Key("use_kv_cache", ("use_cache", "model_init_kwargs.use_cache"), keyword="use_cache"),
)
REMOVED = {
    "max_seq_length": ("0.20", "max_length"),
    "use_liger": ("0.18", "use_liger_kernel"),
    "use_liger_loss": ("0.28", "use_liger_kernel"),
    "torch_dtype": ("0.27", "dtype"),
    "gradient_checkpointing_use_reentrant": (
        "0.27",
        "gradient_checkpointing_kwargs: {use_reentrant: false}",
    ),
    "max_prompt_length": ("0.29", ""),
    "rpo_alpha": ("0.29", ""),
    "num_of_sequences": ("0.18", ""),
    "chars_per_token": ("0.18", ""),
    "dataset_batch_size": ("0.18", ""),
    "vllm_device": ("0.18", ""),
    "vllm_dtype": ("0.18", ""),
}
"""Keyword -> the first release of TRL without it, and what to write: its tags at GitHub."""
OWN = frozenset(
    {
        "dataset_mixture", "dataset_mixer", "dataset_splits", "dataset_name", "dataset_config",
        "dataset_id_or_path", "dataset_prompt_column", "reward_funcs", "num_generations", "beta",
        "max_length", "max_seq_length", "max_prompt_length", "max_completion_length", "use_peft",
        "torch_dtype", "dtype", "attn_implementation", "use_vllm", "dataset_num_proc", "lora_r",
        "loss_type", "chat_template", "dataset_text_field", "load_in_4bit", "bf16", "packing",
        "gradient_checkpointing_kwargs", "packing_strategy", "hub_model_id", "hub_strategy",
        "assistant_only_loss", "completion_only_loss", "dataset_train_split",
    }
)  # fmt: skip
"""Keys that TRL or a recipe's script has."""
TRAINER = frozenset(
    {
        "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "output_dir",
        "num_train_epochs", "lr_scheduler_type", "warmup_ratio", "logging_steps", "save_strategy",
        "max_steps", "optim", "gradient_checkpointing", "eval_strategy", "evaluation_strategy",
        "warmup_steps", "save_steps", "report_to",
    }
)  # fmt: skip
OTHERS = frozenset(
    {
        "stage", "finetuning_type", "template", "cutoff_len", "dataset_dir", "with_tracking",
        "use_slow_tokenizer", "dataset_mix_dir", "checkpointing_steps", "dataset_mixer_list",
        "tuner_type", "train_type", "base_model", "use_lora", "lora_rank",
    }
)  # fmt: skip
"""Keys of LLaMA-Factory, open-instruct, ms-swift and axolotl that TRL does not have."""


def recognise(keys: frozenset[str]) -> Detection:
    """Trainer keys with those of TRL or a recipe script, and none of the other frameworks."""
    own, trainer, other = keys & OWN, keys & TRAINER, keys & OTHERS
    named = "model_name_or_path" in keys
    if len(trainer) < 2 or not (named or len(own) >= 3):
        return Detection(0.0, "no TRL keys")
    score = 0.45 + 0.15 * named + 0.04 * min(len(own), 5) + 0.02 * min(len(trainer), 5)
    shown = ", ".join(sorted(own)[:3] or sorted(trainer)[:3])
    return Detection(max(0.0, min(score, 0.95) - 0.3 * len(other)), f"TRL recipe: {shown}")


def keywords(document: Document, versions: Mapping[str, str]) -> Mapping[str, Default]:
    """The defaults of ModelConfig and of the config class that the keys suggest."""
    name = CONFIG_OF[guess_task(document).task]
    found = {**config_defaults("ModelConfig", versions), **config_defaults(name, versions)}
    if "dtype" not in found and "torch_dtype" in found:
        found["dtype"] = found["torch_dtype"]
    return found


def removed(key: str, versions: Mapping[str, str]) -> str | None:
    """Why these releases of TRL and transformers refuse a key."""
    since, instead = REMOVED.get(key, ("", ""))
    if since and is_at_least(versions["trl"], since):
        message = f"trl {versions['trl']} has no {key}"
        return f"{message}: write {instead}" if instead else message
    return removed_keyword(key, versions["transformers"])


@dataclass(frozen=True)
class RecipeDialect(YamlDialect):
    """A recipe: its `env:` block sets variables before the run."""

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """As for every YAML, and variables in the `env:` block. Raises CannotEdit."""
        if edit.field.startswith("env:"):
            return edit_variable(reading.tree, edit)
        if edit.field == "model_load_dtype" and not is_at_least(reading.versions["trl"], "0.24"):
            return _old_names(self).key_changes(reading.tree, edit, reading)
        return super().changes(source, edit, reading)


def _old_names(dialect: YamlDialect) -> YamlDialect:
    """The dialect with `torch_dtype` as the name that is inserted."""
    table = tuple(
        replace(key, names=key.names[::-1]) if key.field == "model_load_dtype" else key
        for key in dialect.table
    )
    return replace(dialect, table=table)


TRL_RECIPE = RecipeDialect(
    format="trl_recipe_yaml",
    framework="trl",
    loader="pyyaml",
    table=TABLE,
    packages=("trl", "transformers", "peft"),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("trl_recipe.txt", "trl_removed.txt", "trl.txt", "transformers.txt"),
    unknown_keys_stop=True,
    keywords=keywords,
    removed=removed,
    unless="the script defines it",
)
