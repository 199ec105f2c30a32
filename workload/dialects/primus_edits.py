"""Edits of a Primus experiment that are no plain key: recomputation, method, precision."""

from __future__ import annotations

from collections.abc import Iterator

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, set_value
from workload.splice.yaml import insert_key as insert_line
from workload.splice.yaml_document import Document

OVERRIDES = "modules.*.overrides"
RECOMPUTE = (
    ("recompute_granularity", "full"),
    ("recompute_method", "uniform"),
    ("recompute_num_layers", 1),
)
"""Megatron needs all three: full recomputation of every layer."""


def edit_checkpointing(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """gradient_checkpointing: Megatron's recompute keys; off is granularity null."""
    on = not edit.remove and bool(canonical(edit.field, edit.value))
    found = reading.fields.get(edit.field)
    if found is not None and found.origin != "unknown" and bool(found.value) == on:
        return ()
    block = document.expand(OVERRIDES)
    place = document.place(f"{block}.recompute_granularity")
    if not on:
        if place is not None:
            return (set_value(document, place, None),)
        return (insert_key(document, f"{block}.recompute_granularity", None),)
    return (*_existing(document, block), *_added(document, block))


def _existing(document: Document, block: str) -> Iterator[Change]:
    for name, value in RECOMPUTE:
        there = document.place(f"{block}.{name}")
        if there is not None and (
            document.plain(there.value) is None or name == "recompute_granularity"
        ):
            yield set_value(document, there, value)


def _added(document: Document, block: str) -> tuple[Change, ...]:
    """The keys that are not there as one insertion: several at one place have no order."""
    absent = [
        (f"{block}.{name}", value)
        for name, value in RECOMPUTE
        if document.place(f"{block}.{name}") is None
    ]
    if not absent:
        return ()
    lines = [insert_line(document, path, value) for path, value in absent]
    first = lines[0]._replace(text="".join(line.text for line in lines))
    return first, *(Change(first.end, first.end, "", path) for path, _ in absent[1:])


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: peft, or the switch of the lora block, where the file has one of them."""
    wanted = "full" if edit.remove else canonical("finetune_method", edit.value)
    found = reading.fields.get("finetune_method")
    if found is not None and found.value is not None and same(edit.field, found.value, wanted):
        return ()
    peft, switch = document.place(f"{OVERRIDES}.peft"), document.place(f"{OVERRIDES}.lora.enabled")
    if wanted in ("full", "lora") and peft is not None:
        return (set_value(document, peft, "none" if wanted == "full" else wanted),)
    if wanted in ("full", "lora") and switch is not None:
        return (set_value(document, switch, wanted == "lora"),)
    reason = f"the file has no key that could say {wanted}"
    raise CannotEdit(reason, "Write peft to the overrides, and another learning rate with it")


def edit_precision(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """bf16, fp16 and fp8: only where a switch of that name stands; recipes name the whole set."""
    place = document.place(f"{OVERRIDES}.{edit.field}")
    on = not edit.remove and bool(canonical(edit.field, edit.value))
    found = reading.fields.get(edit.field)
    if found is not None and found.origin != "unknown" and bool(found.value) == on:
        return ()
    named = document.place(f"{OVERRIDES}.precision_config")
    if place is not None and isinstance(document.plain(place.value), bool):
        return (set_value(document, place, on),)
    if named is not None and edit.field == "bf16" and on:
        return (set_value(document, named, "bf16_mixed"),)
    reason = f"the file has no switch for {edit.field}"
    raise CannotEdit(reason, "Name the precision recipe in precision_config")


SPECIALS: dict[str, Special] = {
    "gradient_checkpointing": edit_checkpointing,
    "finetune_method": edit_method,
    "bf16": edit_precision,
    "fp16": edit_precision,
    "fp8": edit_precision,
}
