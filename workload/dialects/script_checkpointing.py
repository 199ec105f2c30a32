"""Reads activation checkpointing in a script: by the config, a call on the model, or Unsloth."""

from __future__ import annotations

from collections.abc import Mapping

from workload.dialects.defaults.hugging_face import Default
from workload.dialects.script_models import CHECKPOINTING, KBIT
from workload.dialects.script_reader import ScriptReader, is_null, plain
from workload.dialects.script_values import OPEN, Slot, Thing

_CHECKPOINTING = ("gradient_checkpointing", "activation_checkpointing")


def read_checkpointing(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """On where the config, a call on the model or the k-bit preparation turns it on."""
    run = reader.run
    field = "gradient_checkpointing"
    for keyword in _CHECKPOINTING:
        if keyword in config and not is_null(config[keyword]):
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


def read_reentrance(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """`gradient_checkpointing_kwargs={"use_reentrant": False}`, of the config or of the call."""
    run = reader.run
    name = "gradient_checkpointing_kwargs"
    model = run.entries(run.model)
    slot = config.get(name) or model.get(name) or run.moment.loose.get(name)
    if slot is None or is_null(slot):
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
