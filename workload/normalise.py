"""One vocabulary for all dialects: the word that every framework's spelling of a value becomes.

`canonical(field, value)` is used for values read and for values asked for by an edit, so that
both compare equal. Names of optimizers and schedules are those of transformers.
"""

from __future__ import annotations

import math
import re

from audit.records.base import Json

SWITCHES = frozenset(
    [
        "bf16",
        "fp16",
        "tf32",
        "fp8",
        "packing",
        "padding_free",
        "pad_to_max_length",
        "gradient_checkpointing",
        "gradient_checkpointing_reentrant",
        "activation_offloading",
        "fsdp",
        "fsdp_cpu_offload",
        "torch_compile",
        "liger",
        "dataloader_pin_memory",
        "dataloader_persistent_workers",
        "group_by_length",
        "use_kv_cache",
        "ddp_find_unused_parameters",
        "trust_remote_code",
        "pad_token_is_eos",
    ]
)
"""Fields that are on or off, or a mode by name (`auto`, `offload`)."""
COUNTS = frozenset(
    [
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "train_batch_size",
        "lora_r",
        "per_device_eval_batch_size",
        "max_seq_len",
        "num_processes",
        "num_machines",
        "tensor_parallel_size",
        "context_parallel_size",
    ]
)
"""Whole numbers from 1 on: anything else is invalid, not a setting."""
NUMBERS = COUNTS | frozenset(
    [
        "learning_rate",
        "warmup_steps",
        "warmup_ratio",
        "num_epochs",
        "max_steps",
        "weight_decay",
        "max_grad_norm",
        "lora_alpha",
        "lora_dropout",
        "quant_bits",
        "deepspeed_stage",
        "dataloader_num_workers",
        "eval_split",
        "dataloader_prefetch_factor",
        "preprocessing_num_workers",
        "logging_steps",
        "save_steps",
        "eval_steps",
        "seed",
    ]
)
LISTS = frozenset({"lora_target_modules", "datasets", "report_to", "fused_kernels"})
FIELDS = (
    SWITCHES
    | NUMBERS
    | LISTS
    | frozenset(
        [
            "model_id",
            "task",
            "finetune_method",
            "attn_implementation",
            "optimizer",
            "lr_scheduler",
            "model_load_dtype",
            "compute_dtype",
            "effective_batch",
            "quant_type",
            "offload_optimizer",
            "offload_param",
            "device_map",
        ]
    )
)
"""Every field that a file can set or a rule can edit, but for `env:NAME`."""
MAX_COUNT = 10**9

_ON = frozenset({"true", "yes", "on", "1", "y", "t"})
_OFF = frozenset({"false", "no", "off", "0", "n", "f", "none", "null", "disabled", "disable", ""})
_ATTENTION = {
    "flash_attention": "flash_attention_2",
    "flash_attn": "flash_attention_2",
    "flash_attn_2": "flash_attention_2",
    "flash": "flash_attention_2",
    "fa2": "flash_attention_2",
    "fa3": "flash_attention_3",
    "flash_attn_3": "flash_attention_3",
    "sdp": "sdpa",
    "sdp_attention": "sdpa",
    "flex": "flex_attention",
    "xformers_attention": "xformers",
    "eager_attention": "eager",
    "disabled": "eager",
}
_OPTIMIZERS = {
    "adamw": "adamw_torch",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "lion_8bit": "lion_8bit",
}
"""transformers training_args.py OptimizerNames: two spellings of one optimizer."""
_DTYPES = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "float": "fp32",
    "float8": "fp8",
}
_TASKS = {"pt": "pretrain", "cpt": "pretrain", "rm": "reward"}


def canonical(field: str, value: Json) -> Json:
    """The one word or number for a value of a field; text that fits no form stays as it is."""
    if field in SWITCHES:
        return switch(value)
    if field in LISTS:
        return _members(field, value)
    if field in NUMBERS:
        return number(value)
    if isinstance(value, str):
        return _name(field, value.strip())
    return value


def same(field: str, one: Json, other: Json) -> bool:
    """Whether two values of a field mean the same."""
    first, second = canonical(field, one), canonical(field, other)
    if isinstance(first, list) and isinstance(second, list):
        return sorted(map(str, first)) == sorted(map(str, second))
    numeric = isinstance(first, int | float) and isinstance(second, int | float)
    if numeric and not isinstance(first, bool) and not isinstance(second, bool):
        return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-15)
    if field in SWITCHES:
        return (first or False) == (second or False)
    if field == "max_steps":
        return (-1 if first is None else first) == (-1 if second is None else second)
    return bool(first == second)


def switch(value: Json) -> Json:
    """On, off, or a mode by its name; null stays null."""
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _ON else False if word in _OFF else word
    if isinstance(value, bool) or value is None:
        return value
    return bool(value)


def number(value: Json) -> Json:
    """A number where the text is one (`1e-5` is text to PyYAML), null for none, else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip().replace("_", "")
    if text.lower() in ("none", "null", ""):
        return None
    if re.fullmatch(r"[-+]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", text) and len(text) < 60:
        return float(text)
    return value


UNSET = -1
"""What transformers' recipes write for epochs that `max_steps` decides."""


def invalid_number(field: str, value: Json) -> str | None:
    """Why a value cannot be this numeric field, as the end of a sentence; None where it can."""
    if value is None or field not in NUMBERS or value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "is no number"
    if abs(value) > 2**63:  # before isfinite, which takes no integer of 310 digits
        return "is too large for any run" if math.inf > abs(value) else "is no finite number"
    if not math.isfinite(value):
        return "is no finite number"
    if field in COUNTS:
        if value != int(value) or value < 1:
            return "must be a whole number from 1 on"
        if value > MAX_COUNT:
            return f"is larger than {MAX_COUNT:,}"
    if field == "learning_rate" and value <= 0:
        return "must be above 0"
    if field == "num_epochs" and value <= 0 and value != UNSET:
        return "must be above 0: nothing would be trained"
    return None


def _name(field: str, text: str) -> Json:
    lower = text.lower()
    if field == "attn_implementation":
        return text if "/" in text else _ATTENTION.get(lower.replace("-", "_"), lower)
    if field == "optimizer":
        word = re.sub(r"^optimizernames\.", "", lower.replace("-", "_"))
        return _OPTIMIZERS.get(word, word)
    if field == "lr_scheduler":
        return re.sub(r"^schedulertype\.", "", lower)
    if field in ("compute_dtype", "model_load_dtype"):
        word = lower.removeprefix("torch.")
        return _DTYPES.get(word, word)
    if field == "task":
        return _TASKS.get(lower, lower)
    if field in ("finetune_method", "quant_type", "offload_optimizer", "offload_param"):
        return lower
    return text


def _members(field: str, value: Json) -> Json:
    if value is None or value is False:
        return None
    if isinstance(value, str):
        text = value.strip()
        if field == "lora_target_modules":
            if text.lower() in ("all", "all-linear", "all_linear"):
                return "all-linear"
            if re.search(r"[\\()|\[\]*^$]", text):
                return text  # a regular expression over module names
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(value, list):
        words = [str(item).strip() for item in value]
        if field == "lora_target_modules" and [word.lower() for word in words] in (
            ["all"],
            ["all-linear"],
        ):
            return "all-linear"
        return words
    return value
