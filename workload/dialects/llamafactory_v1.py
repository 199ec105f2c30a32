"""How a YAML of LLaMA-Factory's second schema (v1) is read and edited: flat keys and plugin blocks.

Keys and defaults: github:hiyouga/LLaMA-Factory@ff6d4d1, src/llamafactory/v1/config/,
v1/core/base_trainer.py, v1/core/model_engine.py and v1/plugins/model_plugins/. The task is a
subcommand of the launch line.
"""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Detection, Reading
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.dialects.yaml_table import FieldReader, Key
from workload.normalise import canonical, same
from workload.splice.yaml_document import Document

LORA = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
STRATEGIES = ("padding_free", "dynamic_padding_free")
TABLE = (
    Key("model_id", ("model",)),
    Key("trust_remote_code", ("trust_remote_code",), default=False),
    Key("attn_implementation", ("flash_attn",), default="sdpa"),
    Key("lora_r", ("peft_config.r",), default=8),
    Key("lora_alpha", ("peft_config.lora_alpha",), default=16),
    Key("lora_dropout", ("peft_config.lora_dropout",), default=0.05),
    Key("lora_target_modules", ("peft_config.target_modules",), default="all-linear"),
    Key("quant_bits", ("quant_config.quantization_bit",), default=None),
    Key("datasets", ("train_dataset",)),
    Key("max_seq_len", ("cutoff_len",), default=2048),
    Key("per_device_train_batch_size", ("micro_batch_size",), default=1),
    Key("learning_rate", ("learning_rate",), default=1e-4),
    Key("num_epochs", ("num_train_epochs",), default=3),
    Key("max_steps", ("max_steps",), default=None),
    Key("max_grad_norm", ("max_grad_norm",), default=1.0),
    Key("bf16", ("bf16",), default=True),
    Key("gradient_checkpointing", ("enable_activation_checkpointing",), default=True),
    Key("context_parallel_size", ("cp_size",), default=1),
    Key("dataloader_num_workers", ("batching_workers",), default=16),
    Key("logging_steps", ("logging_steps",), default=1),
    Key("save_steps", ("save_steps",), default=None),
    Key("seed", ("seed",), default=42),
)


def recognise(keys: frozenset[str]) -> Detection:
    """`model` with plugin blocks that only this schema has."""
    own = keys & {
        "model_class", "kernel_config", "dist_config", "peft_config", "quant_config",
        "init_config", "optim_config", "lr_scheduler_config", "train_dataset", "batching_strategy",
        "sample_backend", "enable_activation_checkpointing",
    }  # fmt: skip
    told = own & {"kernel_config", "dist_config", "peft_config", "quant_config", "model_class"}
    if "model" in keys and told and len(own) >= 2 and "model_name_or_path" not in keys:
        return Detection(min(0.98, 0.65 + 0.05 * len(own)), f"LLaMA-Factory v1: {sorted(own)[0]}")
    return Detection(0.0, "no LLaMA-Factory v1 keys")


def finish(reader: FieldReader) -> None:
    """The fields that follow from blocks and from several keys."""
    reader.assumed("task", "sft", "the subcommand on the launch line decides it")
    if reader.value("gradient_checkpointing"):
        why = "LLaMA-Factory v1 turns reentrance off"
        reader.derived("gradient_checkpointing_reentrant", False, why)
    _method(reader)
    _training(reader)
    _batch(reader)
    kernels = reader.document.place("kernel_config.name")
    if kernels is not None:
        name = reader.document.plain(kernels.value)
        reader.stated("liger", kernels, name == "liger_kernel")
    else:
        reader.default("liger", False)


def _method(reader: FieldReader) -> None:
    place = reader.document.place("peft_config.name")
    name = reader.document.plain(place.value) if place is not None else None
    quantised = reader.document.place("quant_config.name")
    if quantised is not None and reader.document.plain(quantised.value) == "bnb":
        if reader.is_open("quant_bits"):
            reader.default("quant_bits", 4, "LLaMA-Factory v1: bitsandbytes without bits is 4-bit")
        reader.default("quant_type", "nf4")
    if name != "lora":
        for field in LORA:
            reader.fields.pop(field, None)
    if place is None or name is None:
        reader.default("finetune_method", "full")
        reader.derived("model_load_dtype", "fp32", "full tuning casts the weights to 32 bits")
        return
    dora = bool(reader.document.value("peft_config.use_dora"))
    word = "dora" if dora else "qlora" if reader.value("quant_bits") else name
    reader.stated("finetune_method", place, word)
    reader.default("model_load_dtype", "auto")


def _training(reader: FieldReader) -> None:
    for field, path, name in (
        ("optimizer", "optim_config.name", "adamw_torch"),
        ("lr_scheduler", "lr_scheduler_config.name", "constant"),
    ):
        place = reader.document.place(path)
        if place is not None and reader.document.plain(place.value):
            value = canonical(field, reader.document.plain(place.value))
            reader.stated(field, place, value)
        else:
            reader.default(field, name)
    place = reader.document.place("batching_strategy")
    if place is not None:
        on = reader.document.plain(place.value) in STRATEGIES
        reader.stated("padding_free", place, on)
    else:
        reader.default("padding_free", False)
    launcher = reader.document.place("dist_config.name")
    named = reader.document.plain(launcher.value) if launcher is not None else None
    if launcher is not None and str(named).startswith("fsdp"):
        reader.stated("fsdp", launcher, True)
    config = reader.document.place("dist_config.config_file")
    if named == "deepspeed" and config is not None and reader.document.plain(config.value):
        read_deepspeed(reader, config)


def _batch(reader: FieldReader) -> None:
    """Accumulation is what the whole batch leaves after ranks and micro batch."""
    document, micro = reader.document, reader.value("per_device_train_batch_size")
    place, ranks = document.place("global_batch_size"), document.value("dp_size")
    total = document.plain(place.value) if place is not None else None
    if place is None or total is None:
        reader.derived("gradient_accumulation_steps", 1, "no global_batch_size is set")
        return
    reader.stated("effective_batch", place, total)
    if isinstance(total, int) and isinstance(micro, int) and isinstance(ranks, int):
        if ranks > 0 and total % (micro * ranks) == 0:
            steps = total // (micro * ranks)
            why = f"global_batch_size {total} / ({micro} x {ranks} ranks)"
            reader.derived("gradient_accumulation_steps", steps, why)
            return
        message = "global_batch_size is no multiple of dp_size x micro_batch_size: it does not run"
        reader.notice("conflict", message, place)
    why = "global_batch_size / (ranks x micro_batch_size); the ranks stand on the launch line"
    reader.unknown("gradient_accumulation_steps", why)


def edit_by_hand(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """Fields that a plugin block or several keys decide."""
    found = reading.fields.get(edit.field)
    if found is not None and not edit.remove and same(edit.field, found.value, edit.value):
        return ()
    keys, advice = BY_HAND[edit.field]
    reason = f"in LLaMA-Factory v1 {edit.field} follows from {keys}"
    raise CannotEdit(reason, advice, found.line if found is not None else None)


def edit_modules(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """lora_target_modules: every linear layer is called `all` here."""
    if not edit.remove and canonical(edit.field, edit.value) == "all-linear":
        found = reading.fields.get(edit.field)
        if found is not None and found.value == "all-linear":
            return ()
        key = dialect.key_of(edit.field)
        place = document.place("peft_config.target_modules")
        if key is not None and place is not None:
            return (dialect.write(document, key, place, "all"),)
    return dialect.key_changes(document, edit, reading)


BY_HAND = {
    "finetune_method": ("the blocks peft_config and quant_config", "Write peft_config.name"),
    "quant_bits": ("the block quant_config", "Write quant_config.name and quantization_bit"),
    "gradient_accumulation_steps": ("global_batch_size", "Set global_batch_size"),
    "optimizer": ("the block optim_config", "Write optim_config.name"),
    "lr_scheduler": ("the block lr_scheduler_config", "Write lr_scheduler_config.name"),
    "padding_free": ("batching_strategy", "Write batching_strategy: padding_free"),
    "liger": ("the block kernel_config", "Write kernel_config.name: liger_kernel"),
}
SPECIALS: dict[str, Special] = {
    **dict.fromkeys(BY_HAND, edit_by_hand),
    "lora_target_modules": edit_modules,
}

LLAMAFACTORY_V1 = YamlDialect(
    format="llamafactory_v1_yaml",
    framework="llamafactory",
    loader="omegaconf",
    table=TABLE,
    packages=("llamafactory",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("llamafactory_v1.txt",),
    unknown_keys_stop=True,
    unless="ALLOW_EXTRA_KEYS is set",
)
