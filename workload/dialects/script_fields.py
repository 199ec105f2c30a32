"""The fields of a training run in a script: its arguments, precision, checkpointing, data."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from workload.dialects.defaults.hugging_face import TRL_CLASSES, Default, config_defaults
from workload.dialects.script_checkpointing import read_checkpointing, read_reentrance
from workload.dialects.script_keywords import check_keywords
from workload.dialects.script_loading import read_loading
from workload.dialects.script_models import COMPILED
from workload.dialects.script_names import HF_CONFIGS, HF_TRAINERS, task_of
from workload.dialects.script_reader import NOT_PLAIN, Placed, ScriptReader, is_null, plain
from workload.dialects.script_run import other_notices
from workload.dialects.script_spellings import CONFIG, GRPO, TRAINER, TRL_ONLY
from workload.dialects.script_surroundings import (
    read_cache,
    read_lengths,
    read_sharding,
    read_surroundings,
)
from workload.dialects.script_values import OPEN, Known, Slot, Thing, Unknown

_TRL_CHANGES = frozenset({"bf16", "gradient_checkpointing", "logging_steps", "learning_rate"})
"""Defaults that every TRL config changes; of a class not introspected they are not known."""


def read_fields(reader: ScriptReader) -> None:
    """All fields of the reader's run."""
    run = reader.run
    config = run.entries(run.config)
    name = run.config_class
    for keyword, field in CONFIG.items():
        if keyword in config:
            reader.state(field, config[keyword], f"{name}.{keyword}")
    _sampling(reader, config)
    _trainer_keywords(reader)
    read_compilation(reader)
    read_loading(reader)
    read_checkpointing(reader, config)
    read_reentrance(reader, config)
    read_sharding(reader, config)
    read_cache(reader)
    read_surroundings(reader)
    read_task(reader)
    _grpo(reader, config)
    _defaults(reader, config)
    read_lengths(reader)
    _list_entries(reader)
    check_keywords(reader)
    reader.notices += other_notices(run, reader.file)


def defaults_of(class_name: str, versions: Mapping[str, str]) -> dict[str, Default]:
    """Keyword -> default; of a TRL class that was not introspected only what TRL never changes."""
    if class_name in HF_CONFIGS:
        return config_defaults("TrainingArguments", versions)
    if class_name in TRL_CLASSES:
        return config_defaults(class_name, versions)
    base = config_defaults("TrainingArguments", versions)
    return {keyword: found for keyword, found in base.items() if keyword not in _TRL_CHANGES}


def _sampling(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """`train_sampling_strategy="group_by_length"` is what `group_by_length=True` was in 4.x."""
    slot = config.get("train_sampling_strategy")
    if slot is not None and isinstance(slot.value, Known):
        key = f"{reader.run.config_class}.train_sampling_strategy"
        by_length = slot.value.value == "group_by_length"
        reader.state_value("group_by_length", by_length, slot, key)


def _trainer_keywords(reader: ScriptReader) -> None:
    """What trainers of old TRL took themselves; and what replaces a setting of the config."""
    run = reader.run
    trainer = run.trainer
    if trainer is None:
        return
    given = run.entries(trainer)
    if trainer.name not in HF_TRAINERS:
        for keyword in (word for word in TRAINER if word in given):
            _trainer_keyword(reader, given[keyword], trainer.name, keyword)
    optimizers = given.get("optimizers")
    if optimizers is not None and plain(run, optimizers.value) != [None, None]:
        unknown = Unknown(optimizers.value.node, "an optimizer object is given to the trainer")
        slot = optimizers._replace(value=unknown)
        for field in ("optimizer", "lr_scheduler"):
            reader.unknown(field, slot, f"{trainer.name}.optimizers")
    _overridden(reader, trainer)
    collator = given.get("data_collator")
    made = collator.value if collator else None
    if collator and isinstance(made, Thing) and made.name == "DataCollatorWithFlattening":
        reader.state_value("padding_free", True, collator, f"{trainer.name}.data_collator")


def _overridden(reader: ScriptReader, trainer: Thing) -> None:
    """A trainer class of the script's own that makes its optimizer or its batches itself."""
    made = reader.run.scene.class_of.get(trainer.owner)
    body = made.node.body if made is not None and isinstance(made.node, ast.ClassDef) else []
    for method in body:
        if not isinstance(method, ast.FunctionDef) or method.name not in _OVERRIDES:
            continue
        used = {node.attr for node in ast.walk(method) if isinstance(node, ast.Attribute)}
        if used & _FROM_ARGUMENTS:
            continue
        owner = made.node.name if made is not None else trainer.name
        why = Unknown(method, f"{owner}.{method.name} decides")
        for field in _OVERRIDES[method.name]:
            reader.hide(field, Slot(why, None), f"{owner}.{method.name}")


_OVERRIDES: dict[str, tuple[str, ...]] = {
    "create_optimizer": ("optimizer",),
    "create_scheduler": ("lr_scheduler",),
    "create_optimizer_and_scheduler": ("optimizer", "lr_scheduler"),
    "get_train_dataloader": ("dataloader_num_workers", "dataloader_pin_memory"),
}
"""Methods of transformers' Trainer, and settings that one of the script's own may not follow."""
_FROM_ARGUMENTS = frozenset({"get_optimizer_cls_and_kwargs", "dataloader_num_workers", *_OVERRIDES})
"""Attributes whose use shows that the method follows the arguments, or calls the Trainer's own."""


def _trainer_keyword(reader: ScriptReader, slot: Slot, owner: str, keyword: str) -> None:
    field, key = TRAINER[keyword], f"{owner}.{keyword}"
    if not is_null(slot):
        reader.state(field, slot, key)
    elif field not in reader.placed:
        reader.placed[field] = Placed(slot, key)


def read_compilation(reader: ScriptReader) -> None:
    """`model = torch.compile(model)`, unless the config compiles as well."""
    model = reader.run.entries(reader.run.model)
    slot = model.get(COMPILED)
    if slot is not None and not reader.value("torch_compile"):
        reader.state("torch_compile", slot, COMPILED)


def read_task(reader: ScriptReader) -> None:
    """The objective, by the trainer's class, else assumed from the model's."""
    run = reader.run
    if "embedding_learning_rate" in run.entries(run.config):
        text = "an embedding_learning_rate, which Unsloth has for continued pretraining"
        reader.assumed("task", "pretrain", text)
        return
    for thing in (run.trainer, run.config):
        task = task_of(thing.name) if thing else None
        if thing is not None and task is not None:
            slot = Slot(Known(task, thing.node), thing.node)
            reader.state_value("task", task, slot, thing.name)
            return
    name = run.model.name if run.model else ""
    by = "loop" if run.loop else "Trainer"
    if name.endswith(("ForSequenceClassification", "ForTokenClassification")):
        reader.derived("task", "classification", f"the model is an {name}")
    elif name.endswith(("ForCausalLM", "LMHeadModel", "ForSeq2SeqLM", "ForConditionalGeneration")):
        reader.assumed("task", "sft", f"a {by} with an {name}")
    elif name.endswith("ForMaskedLM"):
        reader.assumed("task", "pretrain", f"a {by} with an {name}")


def _grpo(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """What GRPOConfig and RLOOConfig say of generating, as one block."""
    run = reader.run
    if reader.value("task") not in ("grpo", "rloo") or run.config is None:
        return
    found = {name: plain(run, config[name].value) for name in GRPO if name in config}
    known = {name: value for name, value in found.items() if value is not NOT_PLAIN}
    if known:
        first = config[next(iter(known))]
        reader.state_value("grpo_block", known, first, run.config_class)


def _defaults(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """What the script leaves open: the class's default, or unknown where `**kwargs` may say it."""
    run = reader.run
    defaults = defaults_of(run.config_class, reader.versions)
    if run.trainer is not None and run.trainer.name not in HF_TRAINERS:
        own = defaults_of(run.trainer.name.removesuffix("Trainer") + "Config", reader.versions)
        extra = {word: own[word] for word in own if CONFIG.get(word) in TRL_ONLY}
        defaults = {**extra, **defaults}
    spelt = {**CONFIG, "gradient_checkpointing": "gradient_checkpointing", "fsdp": "fsdp"}
    spelt |= {"deepspeed": "deepspeed_stage", "train_sampling_strategy": "group_by_length"}
    spelt["gradient_checkpointing_reentrant"] = "gradient_checkpointing_reentrant"
    hidden = _hidden(reader, config)
    if hidden is not None:
        for keyword, field in spelt.items():
            if field not in reader.fields and (keyword in defaults or run.config is None):
                reader.hide(field, hidden.slot, hidden.key)
        return
    if run.framework == "trl" and "bf16" in defaults and reader.value("fp16"):
        defaults["bf16"] = Default(False, "fp16 is on")
    for keyword, default in defaults.items():
        name = spelt.get(keyword)
        if name == "group_by_length" and isinstance(default.value, str):
            default = default._replace(value=default.value == "group_by_length")
        if name is not None:
            reader.default(name, default)


def _hidden(reader: ScriptReader, config: Mapping[str, Slot]) -> Placed | None:
    """What may set every field that the text does not show."""
    run = reader.run
    if run.config_unknown is not None:
        unknown = run.config_unknown
        name = f"{run.trainer.name}.args" if run.trainer else "args"
        site = unknown.node if hasattr(unknown.node, "end_lineno") else None
        return Placed(Slot(unknown, site if isinstance(site, ast.expr) else None), name)
    if OPEN in config:
        return Placed(config[OPEN], f"{run.config_class}.**")
    return None


def _list_entries(reader: ScriptReader) -> None:
    run = reader.run
    reader.list_entries(run.config, run.config_class)
    if run.trainer is not None:
        reader.list_entries(run.trainer, run.trainer.name)
    if run.model is not None:
        reader.list_entries(run.model, f"{run.model.name}.from_pretrained")
    if run.adapter is not None and isinstance(run.adapter.value, Thing):
        reader.list_entries(run.adapter.value, run.adapter.value.name)
    for name, slot in run.moment.env.items():
        value = plain(run, slot.value)
        reader.entries[f"os.environ[{name!r}]"] = None if value is NOT_PLAIN else value
