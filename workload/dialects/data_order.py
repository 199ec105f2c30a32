"""The order of samples in transformers' arguments: `group_by_length`, since 5 a sampling strategy.

The same for LLaMA-Factory, TRL recipes and training arguments, which all take these keys.
"""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import Change, Reading
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import FieldReader
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml_document import Document
from workload.versions import is_at_least


def read_order(reader: FieldReader) -> None:
    """group_by_length: by the newer key where it holds a value, then by the older one."""
    for path in ("train_sampling_strategy", "group_by_length"):
        place = reader.document.place(path)
        value = reader.document.plain(place.value) if place else None
        if place is not None and value is not None:
            on = value == "group_by_length" if path.startswith("train") else bool(value)
            reader.stated("group_by_length", place, on)
            return
    reader.default("group_by_length", False, f"transformers {reader.versions['transformers']}")


def edit_order(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """group_by_length: a value of train_sampling_strategy from transformers 5 on."""
    old, new = document.place("group_by_length"), document.place("train_sampling_strategy")
    place = new or old
    if edit.remove:
        return (remove_key(document, place),) if place is not None else ()
    on = bool(canonical("group_by_length", edit.value))
    if same("group_by_length", reading.fields["group_by_length"].value, on):
        return ()
    word = "group_by_length" if on else "random"
    if new is not None:
        return (set_value(document, new, word),)
    if old is not None:
        return (set_value(document, old, on),)
    beside = ("lr_scheduler_type", "learning_rate")
    if is_at_least(reading.versions["transformers"], "5.0"):
        return (insert_key(document, "train_sampling_strategy", word, beside),)
    return (insert_key(document, "group_by_length", on, beside),)
