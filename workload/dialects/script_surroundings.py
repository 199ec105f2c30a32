"""Reads what stands around the config of a script: sharding, variables, TF32, data, padding."""

from __future__ import annotations

import re
from collections.abc import Mapping

from audit.records.base import Json
from workload.dialects import NamedFile
from workload.dialects.script_reader import (
    NOT_PLAIN,
    Placed,
    ScriptReader,
    is_null,
    line_of,
    plain,
)
from workload.dialects.script_values import ON_A_CONDITION, OPEN, Known, Slot, Thing, Unknown

_STAGE_IN_NAME = re.compile(r"(?:zero|stage|z)[-_]?(?:stage)?[-_]?([0-3])(?![0-9])", re.IGNORECASE)
_TF32 = ("torch.backends.cuda.matmul.allow_tf32", "torch.backends.cuda.matmul.fp32_precision")


def read_sharding(reader: ScriptReader, config: Mapping[str, Slot]) -> None:
    """FSDP and DeepSpeed, as far as they stand in the script."""
    run, name = reader.run, reader.run.config_class
    fsdp, deepspeed = config.get("fsdp"), config.get("deepspeed")
    if fsdp is not None:
        reader.state("fsdp", fsdp, f"{name}.fsdp")
        words = plain(run, fsdp.value)
        if words is not NOT_PLAIN:
            text = " ".join(map(str, words)) if isinstance(words, list) else str(words)
            reader.state_value("fsdp_cpu_offload", "offload" in text, fsdp, f"{name}.fsdp")
    if deepspeed is None or is_null(deepspeed):
        return
    key = f"{name}.deepspeed"
    settings = plain(run, deepspeed.value)
    if isinstance(settings, str):
        _deepspeed_file(reader, settings, key, deepspeed)
        return
    zero = settings.get("zero_optimization", {}) if isinstance(settings, dict) else None
    if not isinstance(zero, dict):
        reader.unknown("deepspeed_stage", deepspeed, key, "stands in the DeepSpeed config")
        return
    reader.state_value("deepspeed_stage", zero.get("stage", 0), deepspeed, key)
    for part in ("optimizer", "param"):
        block = zero.get(f"offload_{part}")
        device = block.get("device", "none") if isinstance(block, dict) else "none"
        reader.state_value(f"offload_{part}", device, deepspeed, key)


def _deepspeed_file(reader: ScriptReader, path: str, key: str, slot: Slot) -> None:
    """A DeepSpeed config in another file: never opened; its name may tell the ZeRO stage."""
    line = line_of(slot)
    if line is not None:
        reader.named_files.append(NamedFile(path, key, line))
    name = path.replace("\\", "/").rpartition("/")[2]
    found = _STAGE_IN_NAME.search(name)
    if found is None:
        reader.unknown("deepspeed_stage", slot, key, "stands in the DeepSpeed config")
        return
    reader.placed["deepspeed_stage"] = Placed(slot, key, direct=False)
    reader.assumed("deepspeed_stage", int(found[1]), f"from the name {name}")


def read_cache(reader: ScriptReader) -> None:
    """`model.config.use_cache`, unless the config of the trainer sets it."""
    run = reader.run
    part = run.entries(run.model).get("config")
    inside = run.entries(part.value) if part and isinstance(part.value, Thing) else {}
    slot = inside.get("use_cache") or run.moment.loose.get("use_cache")
    stated = reader.placed.get("use_kv_cache")
    if slot is not None and not (stated and stated.key.startswith(run.config_class)):
        reader.state("use_kv_cache", slot, "model.config.use_cache")


def read_surroundings(reader: ScriptReader) -> None:
    """Variables, TF32 outside the config, the padding token, data and kernels."""
    run, moment = reader.run, reader.run.moment
    _variables(reader)
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
        sure = [node for node in run.scene.kernels if node not in run.scene.doubtful]
        node = (sure or run.scene.kernels)[0]
        if sure:
            reader.state_value("liger", True, Slot(Known(True, node), node), "apply_liger_kernel")
        else:
            why = Slot(Unknown(node, ON_A_CONDITION), node)
            reader.hide("liger", why, "apply_liger_kernel")


def _variables(reader: ScriptReader) -> None:
    """Each variable as a field of its own, and those that are known as one block."""
    known: dict[str, Json] = {}
    for name, slot in reader.run.moment.env.items():
        if name == OPEN:
            continue
        field, key = f"env:{name}", f"os.environ[{name!r}]"
        reader.state(field, slot, key)
        found = reader.fields.get(field)
        if found is not None and found.origin == "stated":
            if isinstance(found.value, str):
                known[name] = found.value
            else:
                reader.unknown(field, slot, key, "not a text")
    if known:
        reader.derived("env", known, "the variables that the script sets")


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


def read_lengths(reader: ScriptReader) -> None:
    """Without a setting of the framework, the length that the script's own tokenizing cuts to."""
    found = reader.fields.get("max_seq_len")
    if reader.run.framework == "trl" or (found is not None and found.origin != "default"):
        return
    sites = [named["max_length"] for named in reader.run.scene.tokenized if "max_length" in named]
    values = {str(plain(reader.run, slot.value)) for slot in sites}
    if sites and len(values) == 1:
        reader.state("max_seq_len", sites[0], "tokenizer.max_length")
    for named in reader.run.scene.tokenized:
        slot = named.get("padding")
        if slot is not None and isinstance(slot.value, Known) and slot.value.value == "max_length":
            reader.state_value("pad_to_max_length", True, slot, "tokenizer.padding")
