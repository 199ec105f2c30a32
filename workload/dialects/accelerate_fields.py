"""What follows from several keys of an accelerate config: precision, sharding, DeepSpeed, ranks.

Rules: accelerate 1.15.0, commands/launch.py, utils/dataclasses.py `DeepSpeedPlugin.__post_init__`
and parallelism_config.py. Keys of a launch that is not chosen are read and told of.
"""

from __future__ import annotations

from math import prod

from audit.records.base import Json
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.dialects.yaml_table import FieldReader
from workload.normalise import canonical
from workload.splice.keys import insert_key, set_value
from workload.splice.yaml_document import Document

PRECISIONS = ("bf16", "fp16", "fp8")
COMPILERS: dict[str, Json] = {"no": False, "inductor": True}
DEEPSPEED_DEFAULTS: dict[str, Json] = {
    "deepspeed_stage": 2,
    "offload_optimizer": "none",
    "offload_param": "none",
    "gradient_accumulation_steps": "auto",
    "max_grad_norm": "auto",
}
"""What `DeepSpeedPlugin` takes where neither the file nor a DeepSpeed config says so."""
BLOCK_OF = {"fsdp_config": "FSDP", "deepspeed_config": "DEEPSPEED"}
SIZES = ("dp_replicate", "dp_shard", "tp", "cp", "sp")


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys, and what stops the launch."""
    kind = _launch_kind(reader)
    _precision(reader)
    if kind == "FSDP":
        place = reader.document.place("distributed_type")
        if place is not None:
            reader.stated("fsdp", place, True)
        if "fsdp_cpu_offload" not in reader.fields:
            reader.default("fsdp_cpu_offload", False)
    if kind == "DEEPSPEED":
        _deepspeed(reader)
    _idle_blocks(reader, kind)
    _processes(reader, kind)


def _launch_kind(reader: FieldReader) -> str:
    """The distributed type in capitals; PyYAML reads a bare NO as false."""
    value = reader.document.value("distributed_type")
    if value is None:
        reader.notice("conflict", "distributed_type is missing: accelerate refuses the file")
        return ""
    return "NO" if value is False else str(value).upper()


def mixed_precision(value: Json) -> str:
    """`mixed_precision` as a word: an unquoted `no` is false to PyYAML."""
    return str(value).strip().lower() if isinstance(value, str) else "no"


def _precision(reader: FieldReader) -> None:
    place, old = reader.document.place("mixed_precision"), reader.document.place("fp16")
    if place is None and old is not None:
        reader.notice("deprecated", "fp16 is deprecated: write mixed_precision: fp16", old)
        reader.stated("fp16", old, canonical("fp16", reader.document.plain(old.value)))
    for name in PRECISIONS:
        if place is not None:
            word = mixed_precision(reader.document.plain(place.value))
            reader.stated(name, place, word == name)
        elif name not in reader.fields:
            reader.default(name, False)
    if place is None and reader.value("fp16") is not True:
        why = "mixed_precision is not set: the script decides"
        reader.fields["compute_dtype"] = FieldValue(value=None, origin="unknown", source=why)


def _deepspeed(reader: FieldReader) -> None:
    named = reader.document.place("deepspeed_config.deepspeed_config_file")
    if named is None or reader.document.plain(named.value) in (None, "none"):
        for name, value in DEEPSPEED_DEFAULTS.items():
            if name not in reader.fields:
                reader.default(name, value)
        return
    ignored = [name for name in DEEPSPEED_DEFAULTS if reader.is_stated(name)]
    if ignored:
        keys = ", ".join(str(reader.fields[name].key).partition(".")[2] for name in ignored)
        message = (
            f"deepspeed_config_file and {keys} are both given: accelerate refuses to start; the "
            "DeepSpeed file alone may set them"
        )
        reader.notice("conflict", message, named)
    kept = {name: reader.fields[name] for name in ignored}
    read_deepspeed(reader, named)
    reader.fields |= kept


def _idle_blocks(reader: FieldReader, kind: str) -> None:
    for block, needed in BLOCK_OF.items():
        place = reader.document.place(block)
        if place is not None and reader.document.plain(place.value) and kind != needed:
            message = f"{block} has no effect: distributed_type is {kind or 'missing'}"
            reader.notice("note", message, place)
            idle = [name for name, held in reader.fields.items() if _within(held.key, block)]
            for name in idle:
                del reader.fields[name]


def _within(key: str | None, block: str) -> bool:
    return key is not None and key.startswith(block + ".")


def _processes(reader: FieldReader, kind: str) -> None:
    """`num_processes` counts all machines together."""
    place = reader.document.place("num_processes")
    if place is None and kind == "NO":
        reader.default("num_processes", 1)
    elif place is None:
        reader.notice("note", "num_processes is not given: the launch command must name it")
    count, machines = reader.value("num_processes"), reader.value("num_machines")
    if not isinstance(count, int):
        return
    if isinstance(machines, int) and machines > 1 and count % machines:
        message = f"num_processes {count} is the total and does not divide by {machines} machines"
        reader.notice("conflict", message, place)
    if kind.startswith("MULTI") and count < 2 and reader.document.value("use_cpu") is not True:
        reader.notice("note", f"{kind} with one process: nothing runs in parallel", place)
    sizes = [
        reader.document.value(f"parallelism_config.parallelism_config_{name}_size")
        for name in SIZES
    ]
    known = [size for size in sizes if isinstance(size, int) and size > 0]
    if known and prod(known) != count:
        message = f"the sizes of parallelism_config multiply to {prod(known)}, not to {count}"
        at = reader.document.place("parallelism_config")
        reader.notice("conflict", message + " processes: accelerate refuses to start", at)


def edit_precision(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """bf16, fp16, fp8: one word of `mixed_precision`."""
    place = document.place("mixed_precision")
    on = not edit.remove and canonical(edit.field, edit.value)
    if on not in (True, False):
        reason = f"mixed_precision has no {edit.field}: {edit.value}"
        raise CannotEdit(reason, f"Write mixed_precision: {edit.field} or 'no'")
    found = reading.fields.get(edit.field)
    if bool(on) == (found is not None and found.value is True):
        return ()
    word = edit.field if on else "no"
    if place is not None:
        return (set_value(document, place, word),)
    return (insert_key(document, "mixed_precision", word, ("main_training_function",)),)


SPECIALS: dict[str, Special] = dict.fromkeys(PRECISIONS, edit_precision)
