"""The fields of a training run in a script: its arguments, precision, checkpointing, data."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from workload.dialects.defaults.hugging_face import TRL_CLASSES, Default, config_defaults
from workload.dialects.script_loading import read_loading
from workload.dialects.script_models import CHECKPOINTING, COMPILED, KBIT
from workload.dialects.script_names import HF_CONFIGS, HF_TRAINERS, task_of
from workload.dialects.script_reader import NOT_PLAIN, Placed, ScriptReader, plain
from workload.dialects.script_run import other_notices
from workload.dialects.script_spellings import CONFIG, GRPO, TRAINER, TRL_ONLY
from workload.dialects.script_values import OPEN, Known, Slot, Thing, Unknown

_TRL_CHANGES = frozenset({"bf16", "gradient_checkpointing", "logging_steps", "learning_rate"})
"""Defaults that every TRL config changes; of a class not introspected they are not known."""
_CHECKPOINTING = ("gradient_checkpointing", "activation_checkpointing")
_TF32 = ("torch.backends.cuda.matmul.allow_tf32", "torch.backends.cuda.matmul.fp32_precision")


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
    _compilation(reader)
    read_loading(reader)
    _checkpointing(reader, config)
    _reentrance(reader, config)
    _sharding(reader, config)
    _cache(reader)
    _surroundings(reader)
    _task(reader)
    _grpo(reader, config)
    _defaults(reader, config)
    _lengths(reader)
    _list_entries(reader)
    reader.notices += other_notices(run, reader.file)


def defaults_of(class_name: str, versions: Mapping[str, str]) -> dict[str, Default]:
    """Keyword -> default; of a TRL class that was not introspected only what TRL never changes."""
    if class_name in HF_CONFIGS:
        return config_defaults("TrainingArguments", versions)
    if class_name in TRL_CLASSES:
        return config_defaults(class_name, versions)
    base = config_defaults("TrainingArguments", versions)
    return {keyword: found for keyword, found in base.items() if keyword not in _TRL_CHANGES}


def _is_null(slot: Slot) -> bool:
    return isinstance(slot.value, Known) and slot.value.value is None


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
    for keyword, field in TRAINER.items():
        if trainer.name not in HF_TRAINERS and keyword in given:
            reader.state(field, given[keyword], f"{trainer.name}.{keyword}")
    optimizers = given.get("optimizers")
    if optimizers is not None and plain(run, optimizers.value) != [None, None]:
        unknown = Unknown(optimizers.value.node, "an optimizer object is given to the trainer")
        slot = optimizers._replace(value=unknown)
        for field in ("optimizer", "lr_scheduler"):
            reader.unknown(field, slot, f"{trainer.name}.optimizers")
    collator = given.get("data_collator")
    made = collator.value if collator else None
    if collator and isinstance(made, Thing) and made.name == "DataCollatorWithFlattening":
        reader.state_value("padding_free", True, collator, f"{trainer.name}.data_collator")


def _compilation(reader: ScriptReader) -> None:
    model = reader.run.entries(reader.run.model)
    slot = model.get(COMPILED)
    if slot is not None and not reader.value("torch_compile"):
        reader.state("torch_compile", slot, COMPILED)


def _checkpointing(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """On where the config, a call on the model or the k-bit preparation turns it on."""
    run = reader.run
    field = "gradient_checkpointing"
    for keyword in _CHECKPOINTING:
        if keyword in config and not _is_null(config[keyword]):
            reader.state(field, config[keyword], f"{run.config_class}.{keyword}")
    if run.unsloth:
        _unsloth_checkpointing(reader)
        return
    if reader.value(field):
        return
    model = run.entries(run.model)
    called = model.get(CHECKPOINTING) or run.moment.loose.get(CHECKPOINTING)
    if called is not None and plain(run, called.value) is not False:
        reader.state(field, called, CHECKPOINTING)
        return
    prepared, quantized = model.get(KBIT), reader.fields.get("quant_bits")
    if prepared is None or quantized is None or plain(run, prepared.value) is False:
        return
    if quantized.origin == "unknown":
        reader.unknown(field, prepared, KBIT, "on where the weights are quantised")
    elif quantized.value is not None:
        reader.state(field, prepared, KBIT)


def _unsloth_checkpointing(reader: ScriptReader) -> None:
    adapter = reader.run.adapter.value if reader.run.adapter else None
    entries = reader.run.entries(adapter if isinstance(adapter, Thing) else None)
    slot = entries.get("use_gradient_checkpointing")
    if slot is not None:
        key = "FastLanguageModel.get_peft_model.use_gradient_checkpointing"
        reader.state("gradient_checkpointing", slot, key)
    elif adapter is not None:
        reader.fields.pop("gradient_checkpointing", None)
        reader.default("gradient_checkpointing", Default("unsloth", "unsloth"))


def _reentrance(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """`gradient_checkpointing_kwargs={"use_reentrant": False}`, of the config or of the call."""
    run = reader.run
    name = "gradient_checkpointing_kwargs"
    model = run.entries(run.model)
    slot = config.get(name) or model.get(name) or run.moment.loose.get(name)
    if slot is None or _is_null(slot):
        return
    owner = run.config_class if name in config else CHECKPOINTING
    key = f"{owner}.{name}.use_reentrant"
    if isinstance(slot.value, Thing):
        inside = run.entries(slot.value)
        found = inside.get("use_reentrant") or inside.get(OPEN)
        if found is not None:
            reader.state("gradient_checkpointing_reentrant", found, key)
    else:
        reader.unknown("gradient_checkpointing_reentrant", slot, key)


def _sharding(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """FSDP and DeepSpeed, as far as they stand in the script."""
    run, name = reader.run, reader.run.config_class
    fsdp, deepspeed = config.get("fsdp"), config.get("deepspeed")
    if fsdp is not None:
        reader.state("fsdp", fsdp, f"{name}.fsdp")
        words = plain(run, fsdp.value)
        if words is not NOT_PLAIN:
            text = " ".join(map(str, words)) if isinstance(words, list) else str(words)
            reader.state_value("fsdp_cpu_offload", "offload" in text, fsdp, f"{name}.fsdp")
    if deepspeed is None or _is_null(deepspeed):
        return
    key = f"{name}.deepspeed"
    settings = plain(run, deepspeed.value)
    zero = settings.get("zero_optimization", {}) if isinstance(settings, dict) else None
    if not isinstance(zero, dict):
        reader.unknown("deepspeed_stage", deepspeed, key, "stands in the DeepSpeed config")
        return
    reader.state_value("deepspeed_stage", zero.get("stage", 0), deepspeed, key)
    for part in ("optimizer", "param"):
        block = zero.get(f"offload_{part}")
        device = block.get("device", "none") if isinstance(block, dict) else "none"
        reader.state_value(f"offload_{part}", device, deepspeed, key)


def _cache(reader: ScriptReader) -> None:
    """`model.config.use_cache`, unless the config of the trainer sets it."""
    run = reader.run
    part = run.entries(run.model).get("config")
    inside = run.entries(part.value) if part and isinstance(part.value, Thing) else {}
    slot = inside.get("use_cache") or run.moment.loose.get("use_cache")
    stated = reader.placed.get("use_kv_cache")
    if slot is not None and not (stated and stated.key.startswith(run.config_class)):
        reader.state("use_kv_cache", slot, "model.config.use_cache")


def _surroundings(reader: ScriptReader) -> None:
    """Variables, TF32 outside the config, the padding token, data and kernels."""
    run, moment = reader.run, reader.run.moment
    for name, slot in moment.env.items():
        reader.state(f"env:{name}", slot, f"os.environ[{name!r}]")
        found = reader.fields[f"env:{name}"]
        if found.origin == "stated" and not isinstance(found.value, str):
            reader.unknown(f"env:{name}", slot, f"os.environ[{name!r}]", "not a text")
    for name in _TF32:
        allowed = moment.symbols.get(name)
        if allowed is not None:
            reader.state("allow_tf32", allowed, name)
            value = reader.value("allow_tf32")
            if isinstance(value, str):
                reader.state_value("allow_tf32", value == "tf32", allowed, name)
    padding = moment.loose.get("pad_token")
    if padding is not None:
        reader.state("pad_token_is_eos", padding, "tokenizer.pad_token")
    _datasets(reader)
    if run.scene.splits:
        reader.state("eval_split", run.scene.splits[0], "train_test_split.test_size")
    if run.scene.kernels:
        node = run.scene.kernels[0]
        reader.state_value("liger", True, Slot(Known(True, node), node), "apply_liger_kernel")


def _datasets(reader: ScriptReader) -> None:
    slots = reader.run.moment.datasets
    if not slots:
        return
    names: list[str] = []
    for slot in slots:
        found = plain(reader.run, slot.value)
        found = list(found.values()) if isinstance(found, dict) else found
        listed = found if isinstance(found, list) else [found]
        if not all(isinstance(item, str) for item in listed):
            reader.unknown("datasets", slot, "load_dataset")
            return
        names += [item for item in listed if item not in names]
    reader.state_value("datasets", names, slots[0], "load_dataset")


def _task(reader: ScriptReader) -> None:
    run = reader.run
    for thing in (run.trainer, run.config):
        task = task_of(thing.name) if thing else None
        if thing is not None and task is not None:
            slot = Slot(Known(task, thing.node), thing.node)
            reader.state_value("task", task, slot, thing.name)
            return
    name = run.model.name if run.model else ""
    if name.endswith(("ForSequenceClassification", "ForTokenClassification")):
        reader.derived("task", "classification", f"the model is an {name}")
    elif name.endswith(("ForCausalLM", "LMHeadModel", "ForSeq2SeqLM", "ForConditionalGeneration")):
        reader.assumed("task", "sft", f"a Trainer with an {name}")
    elif name.endswith("ForMaskedLM"):
        reader.assumed("task", "pretrain", f"a Trainer with an {name}")


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
                reader.unknown(field, hidden.slot, hidden.key)
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


def _lengths(reader: ScriptReader) -> None:
    """Without a setting of the framework, the length that the script's own tokenizing cuts to."""
    found = reader.fields.get("max_seq_len")
    if reader.run.framework != "hf" or (found is not None and found.origin != "default"):
        return
    sites = [named["max_length"] for named in reader.run.scene.tokenized if "max_length" in named]
    values = {str(plain(reader.run, slot.value)) for slot in sites}
    if sites and len(values) == 1:
        reader.state("max_seq_len", sites[0], "tokenizer.max_length")
    for named in reader.run.scene.tokenized:
        slot = named.get("padding")
        if slot is not None and isinstance(slot.value, Known) and slot.value.value == "max_length":
            reader.state_value("pad_to_max_length", True, slot, "tokenizer.padding")


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
