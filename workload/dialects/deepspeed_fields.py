"""What follows from several keys of a DeepSpeed config: precision, the batch identity, old keys.

Rules: deepspeed 0.19.8, runtime/config.py `_set_batch_related_parameters`, `_batch_assertion` and
`_do_error_check`, runtime/zero/config.py (an unknown key of its blocks stops the run).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from audit.records.base import Json
from audit.records.workload import FieldValue
from workload.dialects.yaml_dialect import known_keys
from workload.dialects.yaml_keys import nearest_key
from workload.dialects.yaml_table import FieldReader
from workload.splice.json_document import JsonDocument

SCHEDULERS = {
    "warmuplr": "constant_with_warmup",
    "warmupdecaylr": "linear",
    "warmupcosinelr": "cosine",
}
"""DeepSpeed's schedules by the transformers name of the same curve (runtime/lr_schedules.py)."""
OLD_OFFLOAD = {"offload_optimizer": "cpu_offload", "offload_param": "cpu_offload_param"}
CLIPS_SINCE = (0, 19, 3)
"""gradient_clipping defaults to 1.0 from this release on and to 0 (none) before:
github:deepspeedai/DeepSpeed@442166559."""
FILLED = "auto"


class Batch(NamedTuple):
    """The three batch keys of a config; None where absent or "auto"."""

    total: int | None
    micro: int | None
    accumulation: int | None

    @property
    def ranks(self) -> float | None:
        """Data-parallel ranks for which total = micro x accumulation x ranks holds."""
        if None in self or not self.micro or not self.accumulation or not self.total:
            return None
        return self.total / (self.micro * self.accumulation)


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys, and what stops the run."""
    _old_keys(reader)
    _precision(reader)
    _clipping(reader)
    _batch(reader)
    _zero_keys(reader)
    _as_text(reader)


def _old_keys(reader: FieldReader) -> None:
    """`zero_optimization: true` is stage 1; `cpu_offload` became a block."""
    place = reader.document.place("zero_optimization")
    if place is not None and isinstance(reader.document.plain(place.value), bool):
        on = bool(reader.document.plain(place.value))
        reader.stated("deepspeed_stage", place, int(on))
        reader.notice("deprecated", 'write "zero_optimization": {"stage": 1}', place)
    for field, old in OLD_OFFLOAD.items():
        place = reader.document.place(f"zero_optimization.{old}")
        if place is not None and not reader.is_stated(field):
            on = reader.document.plain(place.value) is True
            reader.stated(field, place, "cpu" if on else "none")
            reader.notice("deprecated", f'{old} is deprecated: write "{field}"', place)


def _precision(reader: FieldReader) -> None:
    for name in ("bf16", "fp16"):
        place = reader.document.place(name)
        value = None if place is None else reader.document.plain(place.value)
        if place is not None and isinstance(value, bool | str):
            reader.stated(name, place, value)
            message = f'{name} must be an object, as {{"enabled": true}}: the run does not start'
            reader.notice("conflict", message, place)
    bf16, fp16 = reader.value("bf16"), reader.value("fp16")
    if bf16 is True and fp16 is True:
        message = "bf16 and fp16 are both enabled: DeepSpeed refuses to start"
        reader.notice("conflict", message, reader.document.place("fp16.enabled"))
    if FILLED in (bf16, fp16) and True not in (bf16, fp16):
        why = "auto: the training arguments decide"
        reader.fields["compute_dtype"] = FieldValue(value=None, origin="unknown", source=why)


def _clipping(reader: FieldReader) -> None:
    if "max_grad_norm" in reader.fields:
        return
    release = tuple(int(text[:6]) for text in re.findall(r"\d+", reader.versions["deepspeed"])[:3])
    reader.default("max_grad_norm", 1.0 if release >= CLIPS_SINCE else 0.0)


def batch_of(reader: FieldReader) -> Batch:
    """The three batch keys as numbers."""
    names = ("train_batch_size", "per_device_train_batch_size", "gradient_accumulation_steps")
    values = (reader.value(name) for name in names)
    return Batch(*(_count(value) for value in values))


def _batch(reader: FieldReader) -> None:
    batch = batch_of(reader)
    written = {"train_batch_size", "train_micro_batch_size_per_gpu"}
    if not any(reader.document.place(name) for name in written):
        message = (
            "neither train_batch_size nor train_micro_batch_size_per_gpu is given: DeepSpeed does "
            "not start"
        )
        reader.notice("conflict", message)
    accumulation = reader.document.place("gradient_accumulation_steps")
    if accumulation is None and (batch.total is None) != (batch.micro is None):
        reader.default("gradient_accumulation_steps", 1)
    if batch.total is not None:
        reader.derived("effective_batch", batch.total, "train_batch_size is the whole step")
    ranks = batch.ranks
    place = reader.document.place("train_batch_size")
    if ranks is None:
        return
    shown = f"{batch.total} = {batch.micro} x {batch.accumulation} x ranks"
    if ranks != int(ranks):
        message = f"train_batch_size {shown} holds for no number of GPUs: DeepSpeed does not start"
        reader.notice("conflict", message, place)
    elif "num_processes" not in reader.fields:
        reader.derived("num_processes", int(ranks), f"train_batch_size {shown}")
        message = f"train_batch_size {shown}: the run starts on {int(ranks)} data-parallel ranks"
        reader.notice("note", f"{message} only", place)


def _zero_keys(reader: FieldReader) -> None:
    known = known_keys(("deepspeed_zero.txt",))
    for place in reader.document.places("zero_optimization"):
        name = place.path.partition(".")[2]
        if name not in known:
            near = nearest_key(name, known)
            message = f"DeepSpeed knows no key zero_optimization.{name[:60]} and refuses to start"
            reader.notice("unknown_key", message + (f"; meant {near}?" if near else ""), place)


def _as_text(reader: FieldReader) -> None:
    """What the text itself means to who reads it: comments, repeated keys, "auto"."""
    document = reader.document
    if isinstance(document, JsonDocument) and document.read_only is not None:
        line = document.source.line_of(document.read_only.at)
        message = (
            f"{document.read_only.what} at line {line}: DeepSpeed reads it (Hjson), transformers "
            "and accelerate refuse the file; it is read here and not edited"
        )
        reader.notice("note", message)
    twice = next(document.repeated(), None)
    if twice is not None:
        reader.notice("conflict", "DeepSpeed refuses to start with a key given twice", twice)
    entries = document.entries()
    filled = [path for path, value in entries.items() if value == FILLED]
    if filled:
        shown = ", ".join(filled[:3]) + (", ..." if len(filled) > 3 else "")
        message = f"left to the training arguments of another file (auto): {shown}"
        reader.notice("note", message)


def _count(value: Json) -> int | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    return int(value) if whole and value > 0 else None
