"""The fields of a TRL recipe that follow from several keys: task, method, bits, data, precision.

Rules: github:huggingface/trl, trl/trainer/*_config.py and trl/scripts/utils.py.
"""

from __future__ import annotations

from audit.records.base import Json
from workload.dialects.data_order import read_order
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.defaults.hugging_face import config_defaults
from workload.dialects.trl_recipe_task import CONFIG_OF, guess_task
from workload.dialects.yaml_table import FieldReader

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
GRPO_KEYS = (
    "num_generations",
    "max_completion_length",
    "beta",
    "use_vllm",
    "vllm_mode",
    "vllm_gpu_memory_utilization",
    "num_iterations",
    "loss_type",
)
LORA_FIELDS = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
KEYWORD_OF = {
    "max_seq_len": "max_length",
    "preprocessing_num_workers": "dataset_num_proc",
}
"""Fields whose default differs between the config classes, where the keyword has another name."""


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    _method(reader)
    _task(reader)
    _precision(reader)
    _attention(reader)
    _data(reader)
    read_order(reader)
    _variables(reader)
    deepspeed = reader.held("deepspeed")
    if deepspeed is not None:
        read_deepspeed(reader, deepspeed)
    sharded = reader.held("fsdp")
    if sharded is not None:
        reader.stated("fsdp", sharded, True)


def _task(reader: FieldReader) -> None:
    """The task is assumed, and with it every default that differs between the config classes."""
    guess = guess_task(reader.document)
    reader.assumed("task", guess.task, f"the script decides it; {guess.why} suggest it")
    classes = [config_defaults(name, reader.versions) for name in set(CONFIG_OF.values())]
    for name, found in list(reader.fields.items()):
        if found.origin != "default":
            continue
        keyword = KEYWORD_OF.get(name, name)
        values = [table[keyword].value for table in classes if keyword in table]
        if any(value != values[0] for value in values):
            why = f"{found.source}, {CONFIG_OF[guess.task]}: {guess.why} suggest it"
            reader.assumed(name, found.value, why)
    if guess.task in ("grpo", "rloo"):
        _generation(reader, CONFIG_OF[guess.task])


def _generation(reader: FieldReader, config: str) -> None:
    defaults = config_defaults(config, reader.versions)
    block: dict[str, Json] = {}
    for name in GRPO_KEYS:
        value = reader.document.value(name)
        if value is None and name in defaults:
            value = defaults[name].value
        if value is not None:
            block[name] = value
    reader.derived("grpo_block", block, f"the {config} keys of the file and their defaults")


def _method(reader: FieldReader) -> None:
    bits = _bits(reader)
    use = reader.document.place("use_peft")
    on = use is not None and bool(reader.document.plain(use.value))
    if use is not None and on:
        word = "dora" if reader.held("use_dora") else "qlora" if bits else "lora"
        reader.stated("finetune_method", use, word)
        return
    if use is not None:
        reader.stated("finetune_method", use, "full")
    else:
        reader.default("finetune_method", "full")
    for name in LORA_FIELDS:
        found = reader.fields.pop(name, None)
        if found is not None and found.origin == "stated":
            place = reader.document.place(found.key or name)
            message = f"{found.key} has no effect: use_peft is not true"
            reader.notice("conflict", message, place)


def _bits(reader: FieldReader) -> int | None:
    for key, bits in (("load_in_4bit", 4), ("load_in_8bit", 8)):
        place = reader.held(key)
        if place is None:
            continue
        reader.stated("quant_bits", place, bits)
        kind = reader.held("bnb_4bit_quant_type")
        if bits == 4 and kind is not None:
            reader.stated("quant_type", kind, str(reader.document.plain(kind.value)).lower())
        elif bits == 4:
            reader.default("quant_type", "nf4")
        return bits
    off = reader.document.place("load_in_4bit") or reader.document.place("load_in_8bit")
    if off is not None:
        reader.stated("quant_bits", off, None)
    else:
        reader.default("quant_bits", None)
    return None


def _precision(reader: FieldReader) -> None:
    place = reader.document.place("bf16")
    if place is not None and reader.document.plain(place.value) is not None:
        return
    defaults = config_defaults("SFTConfig", reader.versions)["bf16"]
    if reader.value("fp16") and defaults.value:
        reader.derived("bf16", False, "TRL turns bf16 on only where fp16 is off")
    elif place is not None:
        reader.derived("bf16", defaults.value, "TRL's own choice where bf16 is null")


def _attention(reader: FieldReader) -> None:
    if reader.value("attn_implementation") is None:
        why = "transformers takes SDPA where the model has it"
        reader.assumed("attn_implementation", "sdpa", why)


def _data(reader: FieldReader) -> None:
    document = reader.document
    for path in (
        "dataset_mixture.datasets",
        "datasets",
        "dataset_mixer",
        "dataset_name",
        "dataset_id_or_path",
    ):
        place = reader.held(path)
        names = _names(document.plain(place.value)) if place is not None else []
        if place is not None and names:
            reader.stated("datasets", place, names)
            return


def _names(value: Json) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if isinstance(value, dict):
        items = list(value)
    found = [
        (item.get("id") or item.get("path")) if isinstance(item, dict) else item for item in items
    ]
    return [name for name in found if isinstance(name, str)]


def _variables(reader: FieldReader) -> None:
    """TrlParser exports what the `env:` block holds before anything else runs."""
    for place in reader.document.places("env"):
        value = reader.document.plain(place.value)
        if not isinstance(value, dict | list):
            name = place.path.removeprefix("env.")
            reader.stated(f"env:{name}", place, str(value))
