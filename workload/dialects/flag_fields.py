"""The fields that follow from several options: method, bits, attention, data, sharding, precision.

For ms-swift, OpenRLHF and scripts with options of their own. What an option means in a script that
was not uploaded follows from its usual name; a default of such a script is never claimed.
"""

from __future__ import annotations

from audit.records.base import Json
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.yaml_table import FieldReader
from workload.normalise import switch
from workload.splice.yaml_document import Place

LORA_FIELDS = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
_LORA_SWITCHES = ("use_peft", "use_lora", "lora_enable", "use_peft_lora", "lora", "enable_lora")
_QLORA_SWITCHES = ("q_lora", "use_qlora", "qlora")
_FLASH_SWITCHES = ("use_flash_attn", "flash_attn", "use_flash_attention", "use_flash_attention_2",
                   "use_flash_attn_2")  # fmt: skip
_DATA_KEYS = ("dataset_name", "dataset", "datasets", "dataset_id", "dataset_path",
              "dataset_id_or_path", "dataset_mixer_list", "mixer_list", "data_path", "train_file",
              "data_file")  # fmt: skip
_BITS_SWITCHES = {4: ("load_in_4bit", "ds.load_in_4bit", "use_4bit_quantization", "use_4bit"),
                  8: ("load_in_8bit", "use_8bit_quantization", "use_8bit")}  # fmt: skip
_GRPO = ("num_generations", "max_completion_length", "beta", "use_vllm", "vllm_mode",
         "vllm_gpu_memory_utilization", "num_iterations", "loss_type", "temperature")  # fmt: skip


def _place(reader: FieldReader, *names: str) -> Place | None:
    places = (reader.document.place(name) for name in names)
    return next((place for place in places if place is not None), None)


def _plain(reader: FieldReader, place: Place | None) -> Json:
    return None if place is None else reader.document.plain(place.value)


def _is_on(reader: FieldReader, *names: str) -> Place | None:
    """The first of some switches that is on."""
    for name in names:
        place = reader.document.place(name)
        if place is not None and switch(_plain(reader, place)) not in (None, False):
            return place
    return None


def _drop_lora(reader: FieldReader) -> None:
    """Without an adapter its options say nothing."""
    for name in LORA_FIELDS:
        reader.fields.pop(name, None)


def _sharding(reader: FieldReader) -> None:
    deepspeed = _place(reader, "deepspeed", "deepspeed_config")
    word = _plain(reader, deepspeed)
    if deepspeed is not None and isinstance(word, str) and "/" not in word and "." not in word:
        found = {f"zero{stage}": stage for stage in range(4)}
        name = word.removesuffix("_offload")
        if name in found:  # ms-swift's own names for the stages
            reader.stated("deepspeed_stage", deepspeed, found[name])
            if word.endswith("_offload"):
                reader.stated("offload_optimizer", deepspeed, "cpu")
    elif deepspeed is not None and isinstance(word, str | dict) and word:
        read_deepspeed(reader, deepspeed)
    stage = _place(reader, "zero_stage", "deepspeed_stage", "actor_zero_stage")
    if stage is not None and "deepspeed_stage" not in reader.fields:
        reader.stated("deepspeed_stage", stage, _plain(reader, stage))
    fsdp = _place(reader, "fsdp")
    words = str(_plain(reader, fsdp) or "")
    if fsdp is not None and words and words not in ("[]", "False"):
        reader.stated("fsdp", fsdp, True)
        reader.stated("fsdp_cpu_offload", fsdp, "offload" in words)


def _names(value: Json) -> list[str]:
    items = value if isinstance(value, list) else str(value).split(",")
    words = [str(item).strip() for item in items if not isinstance(item, int | float)]
    return [word for word in words if word]


def finish_swift(reader: FieldReader) -> None:
    """ms-swift: method and bits, the rate by method, precision by dtype, DeepSpeed by its name."""
    method, bits = reader.value("finetune_method"), reader.value("quant_bits")
    if method == "lora" and bits == 4:
        place = _place(reader, "quant_bits", "quantization_bit")
        if place is not None:
            reader.stated("finetune_method", place, "qlora")
    dora = _is_on(reader, "use_dora")
    if method == "lora" and dora is not None:
        reader.stated("finetune_method", dora, "dora")
    if method == "full":
        _drop_lora(reader)
    if "learning_rate" not in reader.fields and method is not None:
        rate = 1e-5 if method == "full" else 1e-4
        reader.default("learning_rate", rate, "ms-swift (sft_args.py: by tuner_type)")
    _swift_precision(reader)
    _sharding(reader)
    _generation(reader)


def _swift_precision(reader: FieldReader) -> None:
    """`torch_dtype` decides bf16 and fp16 where they are not given; float32 trains in fp16."""
    place = _place(reader, "torch_dtype")
    dtype = reader.value("model_load_dtype")
    if "bf16" in reader.fields or "fp16" in reader.fields:
        return
    if place is None or dtype not in ("bf16", "fp16", "fp32"):
        why = "torch_dtype is not given: the model's own dtype decides"
        reader.unknown("bf16", why)
        reader.unknown("fp16", why)
        return
    why = f"ms-swift: torch_dtype is {dtype}"
    reader.derived("bf16", dtype == "bf16", why)
    reader.derived("fp16", dtype != "bf16", why)


def finish_megatron(reader: FieldReader) -> None:
    """ms-swift over Megatron: recomputation and attention by Megatron's options."""
    place = _place(reader, "recompute_granularity")
    if place is not None:
        reader.stated(
            "gradient_checkpointing", place, _plain(reader, place) in ("full", "selective")
        )
    attention = _place(reader, "attention_backend")
    if attention is not None and _plain(reader, attention) == "flash":
        reader.stated("attn_implementation", attention, "flash_attention_2")
    if reader.value("finetune_method") == "full":
        _drop_lora(reader)
    _generation(reader)


def finish_openrlhf(reader: FieldReader) -> None:
    """OpenRLHF: accumulation is not an option; method by rank and bits."""
    flash = _is_on(reader, "flash_attn")
    own = _place(reader, "ds.attn_implementation", "attn_implementation")
    if own is not None:
        reader.stated("attn_implementation", own, str(_plain(reader, own)))
    elif flash is not None:
        reader.stated("attn_implementation", flash, "flash_attention_2")
    dtype = _place(reader, "ds.param_dtype", "param_dtype")
    if dtype is not None and "bf16" not in reader.fields:
        reader.stated("bf16", dtype, _plain(reader, dtype) == "bf16")
    offload = _is_on(reader, "ds.adam_offload", "adam_offload")
    if offload is not None:
        reader.stated("offload_optimizer", offload, "cpu")
    _bits(reader)
    rank = reader.value("lora_r")
    place = _place(reader, "ds.lora.rank", "lora_rank")
    if place is not None and isinstance(rank, int) and rank > 0:
        bits = reader.value("quant_bits")
        reader.stated("finetune_method", place, "qlora" if bits == 4 else "lora")
    elif "lora_r" not in reader.fields:
        reader.derived("finetune_method", "full", "lora_rank is not given")


def finish_script(reader: FieldReader) -> None:
    """A script with options: method, bits and attention by the switches people give them."""
    _bits(reader)
    _method(reader)
    flash = _place(reader, *_FLASH_SWITCHES)
    on = flash is not None and switch(_plain(reader, flash)) is True
    if flash is not None and on and "attn_implementation" not in reader.fields:
        reader.stated("attn_implementation", flash, "flash_attention_2")
    data = _place(reader, *_DATA_KEYS)
    if data is not None and _plain(reader, data) not in (None, True, ""):
        reader.stated("datasets", data, _names(_plain(reader, data)))
    _sharding(reader)
    _generation(reader)


def _bits(reader: FieldReader) -> None:
    place = _place(reader, "bits", "quantization_bit", "quant_bits")
    value = _plain(reader, place)
    if place is not None and value in (2, 3, 4, 8, 16, 32):
        reader.stated("quant_bits", place, value if isinstance(value, int) and value < 16 else None)
    for bits, names in _BITS_SWITCHES.items():
        found = _is_on(reader, *names)
        if found is not None:
            reader.stated("quant_bits", found, bits)
            return
    quantised = _is_on(reader, *_QLORA_SWITCHES)
    if quantised is not None:
        reader.stated("quant_bits", quantised, 4)
    kind = _place(reader, "bnb_4bit_quant_type", "quant_type")
    if kind is not None and reader.value("quant_bits") == 4:
        reader.stated("quant_type", kind, str(_plain(reader, kind)).lower())


def _method(reader: FieldReader) -> None:
    """The adapter's switch decides; without one its rank does."""
    bits = reader.value("quant_bits")
    word = "qlora" if bits == 4 else "lora"
    whole = _is_on(reader, "full_finetune", "full_finetuning")
    on = _is_on(reader, *_QLORA_SWITCHES, *_LORA_SWITCHES)
    off = _place(reader, *_LORA_SWITCHES)
    rank = _place(reader, "lora_r", "lora_rank", "lora_dim", "actor_lora_dim")
    size = _plain(reader, rank)
    if whole is not None:
        reader.stated("finetune_method", whole, "full")
    elif on is not None:
        dora = _is_on(reader, "use_dora")
        reader.stated("finetune_method", on if dora is None else dora, "dora" if dora else word)
        return
    elif off is not None:
        reader.stated("finetune_method", off, "full")
    elif rank is not None and size not in (0, None):
        reader.stated("finetune_method", rank, word)
        return
    else:
        reader.assumed("finetune_method", "full", "no option asks for an adapter")
    _drop_lora(reader)


def _generation(reader: FieldReader) -> None:
    """What GRPO's options say of generating, as one block."""
    places = {name: reader.document.place(name) for name in ("num_generations", *_GRPO)}
    first = places["num_generations"]
    if first is None:
        return
    block = {name: _plain(reader, place) for name, place in places.items() if place is not None}
    reader.stated("grpo_block", first, block)
