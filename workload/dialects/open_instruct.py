"""How an open-instruct YAML is read and edited: its key table and the few fields beside it.

Keys and defaults: github:allenai/open-instruct@e6c3044 (0.3.0), FlatArguments of finetune.py and
the dataclasses of dpo_utils.py.
"""

from __future__ import annotations

from audit.records.base import Json
from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Detection, Reading
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.dialects.yaml_table import FieldReader, Key
from workload.normalise import canonical
from workload.splice.keys import insert_key, set_value
from workload.splice.yaml_document import Document

TABLE = (
    Key("model_id", ("model_name_or_path",)),
    Key("lora_r", ("lora_rank",), default=64),
    Key("lora_alpha", ("lora_alpha",), default=16),
    Key("lora_dropout", ("lora_dropout",), default=0.1),
    Key("gradient_checkpointing", ("gradient_checkpointing",), default=False),
    Key("liger", ("use_liger_kernel",), default=False),
    Key("max_seq_len", ("max_seq_length",), default=None),
    Key("packing", ("packing",), default=False),
    Key("preprocessing_num_workers", ("preprocessing_num_workers",), default=None),
    Key("per_device_train_batch_size", ("per_device_train_batch_size",), default=8),
    Key("gradient_accumulation_steps", ("gradient_accumulation_steps",), default=1),
    Key("learning_rate", ("learning_rate",), default=2e-5),
    Key("lr_scheduler", ("lr_scheduler_type",), default="linear"),
    Key("warmup_ratio", ("warmup_ratio",), default=0.03),
    Key("weight_decay", ("weight_decay",), default=0.0),
    Key("num_epochs", ("num_train_epochs", "num_epochs"), default=2),
    Key("max_steps", ("max_train_steps",), default=None),
    Key("max_grad_norm", ("clip_grad_norm",), default=-1),
    Key("seed", ("seed",), default=42),
    Key("logging_steps", ("logging_steps",), default=None),
    Key("report_to", ("report_to",), default=["all"]),
    Key("deepspeed_stage", ("zero_stage",)),
    Key("context_parallel_size", ("sequence_parallel_size", "context_parallel_degree"), default=1),
    Key("tensor_parallel_size", ("tensor_parallel_degree",), default=1),
)
OWN = frozenset(
    {
        "dataset_mixer_list", "dataset_mixer", "dataset_mix_dir", "with_tracking", "use_lora",
        "use_slow_tokenizer", "checkpointing_steps", "max_train_samples", "use_qlora", "lora_rank",
        "add_bos", "keep_last_n_checkpoints", "use_flash_attn", "max_seq_length",
        "preprocessing_num_workers", "tokenizer_name", "hf_metadata_dataset", "num_epochs",
        "try_launch_beaker_eval_jobs", "load_balancing_loss", "chat_template_name", "oe_eval_tasks",
        "use_8bit_optimizer", "max_train_steps", "clip_grad_norm", "gamma_beta_ratio",
    }
)  # fmt: skip
TELLING = frozenset(
    {
        "with_tracking", "use_slow_tokenizer", "checkpointing_steps", "dataset_mix_dir",
        "dataset_mixer_list", "try_launch_beaker_eval_jobs", "keep_last_n_checkpoints",
        "hf_metadata_dataset", "use_qlora", "dataset_transform_fn",
    }
)  # fmt: skip
"""Keys that no other framework with `model_name_or_path` has."""


def recognise(keys: frozenset[str]) -> Detection:
    """`model_name_or_path` with keys that only open-instruct has."""
    telling, own = keys & TELLING, keys & OWN
    if "model_name_or_path" not in keys or not telling:
        return Detection(0.0, "no open-instruct keys")
    score = min(0.98, 0.5 + 0.1 * min(len(telling), 3) + 0.04 * min(len(own), 5))
    return Detection(score, f"open-instruct: {', '.join(sorted(telling)[:3])}")


def finish(reader: FieldReader) -> None:
    """Task, method, optimizer, precision, attention and data."""
    _task(reader)
    _method(reader)
    _optimizer(reader)
    why = f"{reader.source}: the weights are loaded in bfloat16"
    reader.default("model_load_dtype", "bf16", why)
    _attention(reader)
    if reader.value("packing"):
        reader.derived("padding_free", True, "packing joins samples without padding")
    for path in ("dataset_mixer", "dataset_mixer_list", "dataset_name"):
        place = reader.held(path)
        names = _names(path, reader.document.plain(place.value)) if place is not None else []
        if place is not None and names:
            reader.stated("datasets", place, names)
            break


def _task(reader: FieldReader) -> None:
    for path in ("loss_type", "beta", "gamma_beta_ratio"):
        place = reader.held(path)
        if place is not None:
            reader.assumed("task", "dpo", f"the script decides it; the key {path} is that of DPO")
            return
    reader.assumed("task", "sft", "the script decides it; no key of DPO")


def _method(reader: FieldReader) -> None:
    quantised, lora = reader.held("use_qlora"), reader.held("use_lora")
    if quantised is not None:
        reader.stated("finetune_method", quantised, "qlora")
        reader.stated("quant_bits", quantised, 4)
        reader.derived("quant_type", "nf4", "open-instruct quantises to NF4, twice")
    elif lora is not None:
        reader.stated("finetune_method", lora, "lora")
    else:
        reader.default("finetune_method", "full")
    if quantised is None:
        reader.default("quant_bits", None)
    if quantised is None and lora is None:
        for name in ("lora_r", "lora_alpha", "lora_dropout"):
            if not reader.is_stated(name):
                reader.fields.pop(name, None)
    else:
        modules = ["q_proj", "o_proj", "v_proj", "k_proj", "gate_proj", "up_proj", "down_proj"]
        reader.default("lora_target_modules", modules)


def _optimizer(reader: FieldReader) -> None:
    paged = reader.held("use_qlora") or reader.held("dpo_use_paged_optimizer")
    if paged is not None:
        word = "paged_adamw_8bit" if reader.held("use_8bit_optimizer") else "paged_adamw_32bit"
        reader.derived("optimizer", word, f"{paged.path} takes the paged AdamW of bitsandbytes")
    elif reader.document.value("fused_optimizer") is False:
        reader.derived("optimizer", "adamw_torch", "fused_optimizer: false")
    else:
        reader.default("optimizer", "adamw_torch_fused")


def _attention(reader: FieldReader) -> None:
    place = reader.document.place("use_flash_attn")
    if place is not None:
        on = bool(reader.document.plain(place.value))
        reader.stated("attn_implementation", place, "flash_attention_2" if on else "sdpa")
    else:
        why = "open-instruct takes FlashAttention where it is installed"
        reader.assumed("attn_implementation", "flash_attention_2", why)


def _names(path: str, value: Json) -> list[str]:
    """Dataset names: keys of a mixer, every second item of a list, or one name."""
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, list):
        return [str(item) for item in value[::2]]
    return [value] if isinstance(value, str) else []


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method and quant_bits: use_lora and use_qlora."""
    found = reading.fields["finetune_method"].value
    if edit.field == "quant_bits":
        bits = None if edit.remove else canonical("quant_bits", edit.value)
        if bits not in (None, 4):
            reason = f"open-instruct quantises to 4 bits, not {bits}"
            raise CannotEdit(reason, "Write use_qlora: true")
        wanted = "qlora" if bits else "lora" if found == "qlora" else found
    else:
        wanted = "full" if edit.remove else canonical("finetune_method", edit.value)
    if wanted == found:
        return ()
    if wanted not in ("full", "lora", "qlora"):
        reason = f"open-instruct has no method {wanted}"
        raise CannotEdit(reason, "Write use_lora: true or use_qlora: true")
    changes: list[Change] = []
    for key, on in (("use_lora", wanted != "full"), ("use_qlora", wanted == "qlora")):
        place = document.place(key)
        if place is not None and bool(document.plain(place.value)) != on:
            changes.append(set_value(document, place, on))
        elif place is None and on:
            changes.append(insert_key(document, key, True, ("use_lora", "lora_rank")))
    return tuple(changes)


def edit_saving(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """save_steps: advice only; the framework refuses the key, and its own counts epochs as well."""
    place = document.place("checkpointing_steps")
    reason = "open-instruct has no save_steps: checkpointing_steps is a number of steps, or epoch"
    advice = "Remove checkpointing_steps" if edit.remove else f"checkpointing_steps: {edit.value}"
    raise CannotEdit(reason, advice, document.line(place) if place is not None else None)


SPECIALS: dict[str, Special] = {
    "finetune_method": edit_method,
    "quant_bits": edit_method,
    "save_steps": edit_saving,
}

OPEN_INSTRUCT = YamlDialect(
    format="openinstruct_yaml",
    framework="open-instruct",
    loader="pyyaml",
    table=TABLE,
    packages=("open-instruct",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("open_instruct.txt",),
    unknown_keys_stop=True,
)
