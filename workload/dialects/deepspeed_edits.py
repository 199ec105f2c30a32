"""Edits of a DeepSpeed config that are no plain key: optimizer and schedule by its own names."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml_document import Document

OPTIMIZERS = {
    "adamw_torch": "AdamW",
    "adamw_torch_fused": "AdamW",
    "adam": "Adam",
    "adagrad": "Adagrad",
    "lamb": "Lamb",
    "lion": "Lion",
    "muon": "Muon",
    "onebitadam": "OneBitAdam",
    "onebitlamb": "OneBitLamb",
    "zerooneadam": "ZeroOneAdam",
}
"""Our name -> DeepSpeed's (runtime/config.py DEEPSPEED_OPTIMIZERS, read in any case)."""
SCHEDULES = {
    "constant_with_warmup": "WarmupLR",
    "linear": "WarmupDecayLR",
    "cosine": "WarmupCosineLR",
}
KEYS = {"optimizer": ("optimizer.type", OPTIMIZERS), "lr_scheduler": ("scheduler.type", SCHEDULES)}


def edit_name(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """`optimizer.type` and `scheduler.type`: a name that DeepSpeed knows."""
    path, names = KEYS[edit.field]
    place, found = document.place(path), reading.fields.get(edit.field)
    if edit.remove:
        return (remove_key(document, place),) if place is not None else ()
    if place is not None and found is not None and same(edit.field, found.value, edit.value):
        return ()
    wanted = names.get(canonical(edit.field, edit.value))
    if wanted is None:
        reason = f"DeepSpeed has no {path.partition('.')[0]} for {edit.value}"
        raise CannotEdit(reason, f"One of: {', '.join(dict.fromkeys(names.values()))}")
    if place is not None:
        return (set_value(document, place, wanted),)
    return (insert_key(document, path, wanted, ("gradient_accumulation_steps",)),)


SPECIALS: dict[str, Special] = {"optimizer": edit_name, "lr_scheduler": edit_name}
