"""How a training loop of a script's own is spread: DDP, FSDP, plugins, a DeepSpeed engine."""

from __future__ import annotations

from collections.abc import Mapping

from workload.dialects.class_paths import optimizer_name
from workload.dialects.defaults.hugging_face import Default
from workload.dialects.script_loop import DDP, ENGINE, FSDP, PLUGIN, part_name
from workload.dialects.script_loop_parts import doubtful, label, parts, the_part
from workload.dialects.script_reader import NOT_PLAIN, ScriptReader, plain
from workload.dialects.script_surroundings import read_sharding
from workload.dialects.script_values import OPEN, Known, Slot, Thing, Unknown


def read_wrappers(reader: ScriptReader) -> None:
    """Wrappers around the model, and plugins given to an Accelerator."""
    for part in parts(reader, FSDP)[:1]:
        slot, open_branch = Slot(Known(True, part.node), part.node), doubtful(reader, part)
        if open_branch is not None:
            reader.hide("fsdp", open_branch, label(reader, part))
        else:
            reader.state_value("fsdp", True, slot, label(reader, part))
    for part in parts(reader, DDP)[:1]:
        _flag(reader, part, "find_unused_parameters", "ddp_find_unused_parameters")
    for part in parts(reader, PLUGIN):
        name, entries = part_name(part).rpartition(".")[2], reader.run.entries(part)
        if name == "DistributedDataParallelKwargs":
            _flag(reader, part, "find_unused_parameters", "ddp_find_unused_parameters")
        elif name == "FullyShardedDataParallelPlugin":
            slot = Slot(Known(True, part.node), part.node)
            reader.state_value("fsdp", True, slot, name)
        elif name == "DeepSpeedPlugin" and "zero_stage" in entries:
            reader.state("deepspeed_stage", entries["zero_stage"], f"{name}.zero_stage")


def _flag(reader: ScriptReader, part: Thing, keyword: str, field: str) -> None:
    entries, name = reader.run.entries(part), part_name(part).rpartition(".")[2]
    if keyword in entries:
        reader.state(field, entries[keyword], f"{name}.{keyword}")
    elif OPEN not in entries:
        reader.default(field, Default(False, name))


def read_engine(reader: ScriptReader) -> None:
    """`deepspeed.initialize(config=...)`: a dict is read, a file is only named."""
    engine = the_part(reader, ENGINE)
    if engine is None:
        return
    entries = reader.run.entries(engine)
    keyword = "config" if "config" in entries else "config_params"
    slot = entries.get(keyword)
    settings = plain(reader.run, slot.value) if slot is not None else NOT_PLAIN
    if slot is not None:
        read_sharding(reader, {"deepspeed": slot})
    if slot is not None and isinstance(settings, dict):
        for name, value in _engine_settings(settings).items():
            reader.state_value(name, value, slot, f"deepspeed.initialize.{keyword}")
        return
    why = "the DeepSpeed config decides"
    site = slot or Slot(Unknown(engine.node, why), engine.node)
    hidden = site._replace(value=Unknown(site.value.node, why))
    for field in ("deepspeed_stage", "bf16", "fp16", "gradient_accumulation_steps",
                  "max_grad_norm", "per_device_train_batch_size", "optimizer",
                  "learning_rate"):  # fmt: skip
        if field not in reader.fields:
            reader.hide(field, hidden, "deepspeed.initialize")


def _engine_settings(settings: Mapping[str, object]) -> dict[str, int | float | str | bool]:
    """Fields of a DeepSpeed config that stands in the script as a dict."""
    found: dict[str, int | float | str | bool] = {}
    for key, field in (
        ("train_micro_batch_size_per_gpu", "per_device_train_batch_size"),
        ("gradient_accumulation_steps", "gradient_accumulation_steps"),
        ("gradient_clipping", "max_grad_norm"),
    ):
        value = settings.get(key)
        if isinstance(value, (int, float)):
            found[field] = value
    for name in ("bf16", "fp16"):
        block = settings.get(name)
        enabled = block.get("enabled") if isinstance(block, dict) else False
        if isinstance(enabled, bool):
            found[name] = enabled
    optimizer = settings.get("optimizer")
    if isinstance(optimizer, dict):
        kind, given = optimizer.get("type"), optimizer.get("params")
        if isinstance(kind, str):
            found["optimizer"] = optimizer_name(kind)
        rate = given.get("lr") if isinstance(given, dict) else None
        if isinstance(rate, (int, float)):
            found["learning_rate"] = rate
    return found
