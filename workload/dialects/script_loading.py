"""The fields of a script's model: what is loaded, in which dtype, quantised, with an adapter."""

from __future__ import annotations

from collections.abc import Mapping

from audit.records.base import Json
from workload.dialects.defaults.hugging_face import Default, config_defaults, default_source
from workload.dialects.script_models import CAST, MODEL_NAME
from workload.dialects.script_names import ADAPTERS, HF_CONFIGS
from workload.dialects.script_reader import NOT_PLAIN, ScriptReader, plain
from workload.dialects.script_spellings import LORA, MODEL
from workload.dialects.script_values import OPEN, Known, Slot, Thing, Unknown
from workload.normalise import canonical
from workload.versions import KNOWN, is_at_least

_UNSLOTH_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_UNSLOTH = "unsloth (as of commit 015bdef)"
"""unslothai/unsloth unsloth/models/loader.py and llama.py: from_pretrained, get_peft_model."""
QUANTIZATION = "quantization_config"
_BITS_BY_WORD = {"int4": 4, "int8": 8, "fp8": 8, "float8": 8, "int2": 2}


def read_loading(reader: ScriptReader) -> None:
    """Model, quantisation and adapter of the reader's run."""
    run = reader.run
    entries, name = loading_entries(reader)
    if name:
        _model(reader, entries, name)
        _quantization(reader, entries, name)
        _load_defaults(reader, entries, name)
    elif run.model_slot is not None:
        for field in ("model_id", "model_load_dtype", "attn_implementation", "quant_bits"):
            reader.hide(field, run.model_slot, f"{run.trainer.name if run.trainer else ''}.model")
    _adapter(reader)


def loading_entries(reader: ScriptReader) -> tuple[dict[str, Slot], str]:
    """The keywords the model is loaded with, and the name of the call that takes them."""
    run = reader.run
    if run.model is not None and run.model.name:
        return run.entries(run.model), f"{run.model.name}.from_pretrained"
    slot = run.model_slot
    if slot is None or not isinstance(slot.value, Known) or not isinstance(slot.value.value, str):
        return {}, ""
    trainer = run.trainer.name if run.trainer else ""
    entries = {MODEL_NAME: slot}
    for owner in (run.trainer, run.config):
        settings = run.entries(owner).get("model_init_kwargs")
        if settings is not None and isinstance(settings.value, Thing):
            entries.update(run.entries(settings.value))
        elif settings is not None and isinstance(settings.value, Unknown):
            entries[OPEN] = settings
    quantization = run.entries(run.trainer).get(QUANTIZATION)
    if quantization is not None:  # trl 1.10 loads the model with it
        entries[QUANTIZATION] = quantization
    return entries, f"{trainer}.model"


def _model(reader: ScriptReader, entries: Mapping[str, Slot], name: str) -> None:
    if MODEL_NAME in entries:
        reader.state("model_id", entries[MODEL_NAME], name)
    elif OPEN in entries:
        reader.hide("model_id", entries[OPEN], name)
    for keyword, field in MODEL.items():
        if keyword in entries and field not in reader.fields:
            reader.state(field, entries[keyword], f"{name}.{keyword}")
    if CAST in entries:
        reader.state("model_load_dtype", entries[CAST], CAST)
    flash = entries.get("use_flash_attention_2")
    if flash is not None and "attn_implementation" not in entries:
        _flash(reader, flash, f"{name}.use_flash_attention_2")
    if reader.run.unsloth:
        _unsloth(reader, entries, name)
    if name.startswith("AutoLigerKernel") and reader.run.model is not None:
        node = reader.run.model.node
        reader.state_value("liger", True, Slot(Known(True, node), node), name)


def _flash(reader: ScriptReader, slot: Slot, key: str) -> None:
    on = plain(reader.run, slot.value)
    if on is True:
        reader.state_value("attn_implementation", "flash_attention_2", slot, key)
    elif on is NOT_PLAIN:
        reader.unknown("attn_implementation", slot, key)


def _unsloth(reader: ScriptReader, entries: Mapping[str, Slot], name: str) -> None:
    model = reader.run.model
    if model is not None:
        slot = Slot(Known("unsloth", model.node), model.node)
        reader.state_value("fused_kernels", ["unsloth"], slot, name)
        text = "Unsloth patches the model and the trainer; some settings are its own"
        reader.notice("note", text, model.node.lineno)
    if "max_seq_len" not in reader.fields and "max_seq_length" in entries:
        reader.state("max_seq_len", entries["max_seq_length"], f"{name}.max_seq_length")


def _load_defaults(reader: ScriptReader, entries: Mapping[str, Slot], name: str) -> None:
    """What the loading call leaves open."""
    run = reader.run
    if OPEN in entries:
        for field in ("model_load_dtype", "attn_implementation", "trust_remote_code"):
            if field not in reader.fields:
                reader.hide(field, entries[OPEN], f"{name}.**")
        return
    if run.unsloth:
        reader.default("model_load_dtype", Default("auto", _UNSLOTH))
        if "max_seq_len" not in reader.fields:
            reader.default("max_seq_len", Default(2048, _UNSLOTH))
        return
    reader.default("model_load_dtype", _load_dtype(reader))
    reader.default("trust_remote_code", Default(False, _source(reader, "transformers")))
    if "attn_implementation" not in reader.fields:
        text = "not stated; transformers takes sdpa where the model has it"
        reader.assumed("attn_implementation", "sdpa", text)


def _load_dtype(reader: ScriptReader) -> Default:
    """TRL from 1.8 on loads a model named by its id in float32, transformers 5 as it was saved."""
    versions = reader.versions
    trl = versions.get("trl") or KNOWN["trl"][-1]
    if reader.run.model is None and reader.run.framework == "trl" and is_at_least(trl, "1.8"):
        return Default("fp32", _source(reader, "trl"))
    transformers = versions.get("transformers") or KNOWN["transformers"][-1]
    value = "auto" if is_at_least(transformers, "5.0") else "fp32"
    return Default(value, _source(reader, "transformers"))


def _source(reader: ScriptReader, package: str) -> str:
    return default_source(package, reader.versions)


def _quantization(reader: ScriptReader, entries: Mapping[str, Slot], name: str) -> None:
    slot = entries.get(QUANTIZATION)
    trainer = reader.run.trainer
    given = slot is not None and reader.run.entries(trainer).get(QUANTIZATION) is slot
    key = f"{trainer.name if trainer and given else name}.{QUANTIZATION}"
    if slot is not None and isinstance(slot.value, Thing):
        _quantization_config(reader, slot, key)
        return
    if slot is not None and plain(reader.run, slot.value) is NOT_PLAIN:
        reader.unknown("quant_bits", slot, key)
        return
    if _stated_bits(reader, entries, name):
        return
    if OPEN in entries:
        reader.hide("quant_bits", entries[OPEN], f"{name}.**")
    elif reader.run.unsloth and not _other_precision(reader, entries):
        reader.default("quant_bits", Default(4, _UNSLOTH))
        reader.default("quant_type", Default("nf4", _UNSLOTH))
    else:
        reader.default("quant_bits", Default(None, _source(reader, "transformers")))


def _stated_bits(reader: ScriptReader, entries: Mapping[str, Slot], name: str) -> bool:
    """`load_in_4bit=True` in the loading call itself."""
    said = False
    for bits in (4, 8):
        slot = entries.get(f"load_in_{bits}bit")
        if slot is None:
            continue
        on, key = plain(reader.run, slot.value), f"{name}.load_in_{bits}bit"
        if on is NOT_PLAIN:
            reader.unknown("quant_bits", slot, key)
            return True
        if on:
            reader.state_value("quant_bits", bits, slot, key)
            return True
        if bits == 4 or not said:
            reader.state_value("quant_bits", None, slot, key)
            said = True
    return said


def _other_precision(reader: ScriptReader, entries: Mapping[str, Slot]) -> bool:
    names = ("full_finetuning", "load_in_16bit", "load_in_fp8")
    found = (plain(reader.run, entries[name].value) for name in names if name in entries)
    return any(value is not NOT_PLAIN and bool(value) for value in found)


def _quantization_config(reader: ScriptReader, slot: Slot, key: str) -> None:
    """BitsAndBytesConfig and its kin; the config decides, the keyword is what an edit removes."""
    thing = slot.value
    if not isinstance(thing, Thing):
        return
    inside = reader.run.entries(thing)
    if OPEN in inside:
        reader.hide("quant_bits", inside[OPEN]._replace(site=slot.site), key)
        return
    bits = _bits(reader, thing, inside)
    if bits is NOT_PLAIN:
        reader.unknown("quant_bits", slot, key, f"{thing.name} is computed")
        return
    reader.state_value("quant_bits", bits, slot, key)
    if thing.name not in ("BitsAndBytesConfig", "dict") or bits != 4:
        return
    defaults = config_defaults("BitsAndBytesConfig", reader.versions)
    keyword = "bnb_4bit_quant_type"
    if keyword in inside:
        reader.state("quant_type", inside[keyword], f"{thing.name}.{keyword}")
    else:
        reader.default("quant_type", defaults[keyword])
    _quantized_compute(reader, thing, inside.get("bnb_4bit_compute_dtype"))


def _quantized_compute(reader: ScriptReader, thing: Thing, slot: Slot | None) -> None:
    """4-bit layers compute in their own dtype, float32 unless it is set."""
    dtype = "fp32" if slot is None else canonical("compute_dtype", plain(reader.run, slot.value))
    if slot is None:
        text = "4-bit layers compute in float32: bnb_4bit_compute_dtype is not set"
        reader.notice("note", text, thing.node.lineno)
    autocast = [reader.fields.get(name) for name in ("bf16", "fp16")]
    hf = reader.run.config_class in HF_CONFIGS
    off = all(found.value is False if found else hf for found in autocast)
    if off and isinstance(dtype, str):
        text = "bnb_4bit_compute_dtype of the 4-bit layers; autocast is off"
        reader.derived("compute_dtype", dtype, text)


def _bits(reader: ScriptReader, thing: Thing, inside: Mapping[str, Slot]) -> Json:
    """Bits per weight of a quantisation config; None where it quantises nothing."""
    for bits in (4, 8):
        slot = inside.get(f"load_in_{bits}bit")
        on = plain(reader.run, slot.value) if slot else False
        if on is NOT_PLAIN or on:
            return on if on is NOT_PLAIN else bits
    for keyword in ("bits", "nbits", "w_bit"):
        if keyword in inside:
            return plain(reader.run, inside[keyword].value)
    for keyword in ("quant_type", "weights"):
        word = plain(reader.run, inside[keyword].value) if keyword in inside else ""
        found = [bits for text, bits in _BITS_BY_WORD.items() if text in str(word)]
        if found:
            return found[0]
    fixed = {"Mxfp4Config": 4, "AwqConfig": 4, "FineGrainedFP8Config": 8, "EetqConfig": 8}
    if thing.name in fixed:
        return fixed[thing.name]
    return None if thing.name in ("BitsAndBytesConfig", "dict") else NOT_PLAIN


def _adapter(reader: ScriptReader) -> None:
    """How the model is fine-tuned, by the adapter that is really used."""
    run = reader.run
    slot = run.adapter
    if run.trainer is None and slot is None:
        if len(run.scene.adapters) == 1:
            _lora(reader, run.scene.adapters[0])
            text = "a PEFT config stands in the script, which has no trainer"
            reader.assumed("finetune_method", "lora", text)
        return
    if slot is not None and isinstance(slot.value, Thing):
        _used_adapter(reader, slot, slot.value)
        return
    trainer = run.trainer.name if run.trainer else ""
    if slot is not None and plain(run, slot.value) is not None:
        reader.unknown("finetune_method", slot, f"{trainer}.peft_config")
    elif run.model_slot is not None and isinstance(run.model_slot.value, Unknown):
        reader.unknown("finetune_method", run.model_slot, f"{trainer}.model")
    else:
        reader.derived("finetune_method", "full", "no adapter is used")


def _used_adapter(reader: ScriptReader, slot: Slot, adapter: Thing) -> None:
    method = ADAPTERS.get(adapter.name, "lora")
    inside = reader.run.entries(adapter)
    where = Slot(Known(method, adapter.node), slot.site or adapter.node)
    if method == "lora":
        _lora(reader, adapter)
        method = _lora_kind(reader, inside)
    if method is NOT_PLAIN:
        reader.unknown("finetune_method", where, adapter.name, "whether weights are quantised")
        return
    reader.state_value("finetune_method", method, where, adapter.name)


def _lora_kind(reader: ScriptReader, inside: Mapping[str, Slot]) -> Json:
    """lora, dora, or qlora where the weights beneath are 4-bit."""
    dora = plain(reader.run, inside["use_dora"].value) if "use_dora" in inside else False
    bits = reader.fields.get("quant_bits")
    if dora is NOT_PLAIN or (bits is not None and bits.origin == "unknown"):
        return NOT_PLAIN
    if dora:
        return "dora"
    return "qlora" if bits is not None and bits.value == 4 else "lora"


def _lora(reader: ScriptReader, adapter: Thing) -> None:
    inside = reader.run.entries(adapter)
    for keyword, field in LORA.items():
        if keyword in inside:
            reader.state(field, inside[keyword], f"{adapter.name}.{keyword}")
        elif OPEN in inside:
            reader.hide(field, inside[OPEN], f"{adapter.name}.**")
    if adapter.name == "LoraConfig":
        defaults = config_defaults("LoraConfig", reader.versions)
    else:
        values = {
            "r": 16,
            "lora_alpha": 16,
            "lora_dropout": 0.0,
            "target_modules": _UNSLOTH_TARGETS,
        }
        defaults = {keyword: Default(value, _UNSLOTH) for keyword, value in values.items()}
    for keyword, field in LORA.items():
        reader.default(field, defaults[keyword])
