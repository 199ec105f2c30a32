"""How training arguments in JSON are read and edited: a Trainer's or TRL's, as written or dumped.

`HfArgumentParser.parse_json_file` reads such a file, and `TrainingArguments.to_json_string` writes
one with every argument of a run in it. The table is that of TRL recipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workload.dialects import Detection
from workload.dialects.data_order import read_order
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.defaults.hugging_face import Default, config_defaults
from workload.dialects.json_dialect import JsonDialect
from workload.dialects.llamafactory_json import SWIFT
from workload.dialects.trl_recipe import TABLE, keywords, removed
from workload.dialects.trl_recipe_edits import SPECIALS
from workload.dialects.trl_recipe_fields import finish as finish_recipe
from workload.dialects.yaml_table import FieldReader
from workload.splice.yaml_document import Document

TRAINER = frozenset(
    {
        "per_device_train_batch_size", "per_device_eval_batch_size", "num_train_epochs", "optim",
        "gradient_accumulation_steps", "learning_rate", "output_dir", "lr_scheduler_type",
        "warmup_ratio", "warmup_steps", "logging_steps", "save_strategy", "eval_strategy",
        "evaluation_strategy", "max_grad_norm", "gradient_checkpointing", "max_steps", "report_to",
        "dataloader_num_workers", "weight_decay", "do_train", "bf16", "fp16", "seed", "save_steps",
    }
)  # fmt: skip
TRL = frozenset(
    {
        "max_length", "max_seq_length", "packing", "dataset_num_proc", "dataset_text_field",
        "use_peft", "max_completion_length", "num_generations", "max_prompt_length", "padding_free",
        "packing_strategy", "assistant_only_loss", "completion_only_loss", "model_init_kwargs",
        "precompute_ref_log_probs", "reward_funcs",
    }
)  # fmt: skip
"""Arguments that TRL's config classes add to the Trainer's."""
MODEL_KEYS = ("model_name_or_path", "use_peft", "lora_r", "attn_implementation")
MODEL_FIELDS = (
    "finetune_method", "quant_bits", "quant_type", "attn_implementation", "model_load_dtype",
    "trust_remote_code", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules",
)  # fmt: skip
"""Fields of ModelConfig: without any of its keys it is another part of the program."""
DUMPED = 60
"""A file with more keys is a dump of every argument (some 120 in transformers 5.23)."""


def recognise(keys: frozenset[str]) -> Detection:
    """Several arguments of the Trainer."""
    own = keys & TRAINER
    if len(own) < 3 or keys & (SWIFT | {"base_model", "finetuning_type", "log_history"}):
        return Detection(0.0, "no training arguments")
    score = min(0.9, 0.5 + 0.05 * len(own))
    return Detection(score, f"training arguments: {', '.join(sorted(own)[:3])}")


def is_trl(document: Document) -> bool:
    """Whether TRL's own arguments are among them."""
    return any(document.value(name) is not None for name in TRL)


def defaults(document: Document, versions: Mapping[str, str]) -> Mapping[str, Default]:
    """Those of TRL's class where TRL's arguments stand in the file, else the Trainer's."""
    if is_trl(document):
        return keywords(document, versions)
    return config_defaults("TrainingArguments", versions)


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    document = reader.document
    if is_trl(document):
        found = reader.fields["framework"]
        reader.fields["framework"] = found.model_copy(update={"value": "trl"})
        finish_recipe(reader)
        if not any(document.place(name) for name in MODEL_KEYS):
            for name in MODEL_FIELDS:
                if not reader.is_stated(name):
                    reader.fields.pop(name, None)
        return
    for path in ("deepspeed", "fsdp"):
        place = document.place(path)
        if place is None or not document.plain(place.value):
            continue
        if path == "deepspeed":
            read_deepspeed(reader, place)
        else:
            reader.stated("fsdp", place, True)
    read_order(reader)


@dataclass(frozen=True)
class ArgumentsDialect(JsonDialect):
    """Training arguments: in a dump, keys of another release are history, not mistakes."""

    def _notice_keys(self, reader: FieldReader) -> None:
        if len(reader.document.places()) <= DUMPED:
            super()._notice_keys(reader)
            return
        message = "a dump of every argument of a run: the release that wrote it is not in it"
        reader.notice("note", message)


TRAINING_ARGS = ArgumentsDialect(
    format="training_args_json",
    framework="hf",
    loader="pyyaml",
    table=TABLE,
    packages=("transformers", "trl", "peft"),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("trl_recipe.txt", "trl_removed.txt", "trl.txt", "transformers.txt"),
    unknown_keys_stop=True,
    unless="the script defines it",
    keywords=defaults,
    removed=removed,
)
