"""Edits of a TRL recipe that are no plain key: bits, method, data order, variables."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.data_order import edit_order
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml import insert_lines, scalar_text
from workload.splice.yaml_document import Document

BITS_KEYS = {4: "load_in_4bit", 8: "load_in_8bit"}


def edit_bits(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """quant_bits: switches load_in_4bit and load_in_8bit."""
    wanted = None if edit.remove else canonical("quant_bits", edit.value)
    if wanted not in (None, *BITS_KEYS):
        reason = f"TRL quantises to 4 or 8 bits, not {wanted}"
        raise CannotEdit(reason, "Use load_in_4bit: true or load_in_8bit: true")
    found: list[Change] = []
    for bits, key in BITS_KEYS.items():
        place, on = document.place(key), bits == wanted
        if place is not None and edit.remove:
            found.append(remove_key(document, place))
        elif place is not None and bool(document.plain(place.value)) != on:
            found.append(set_value(document, place, on))
        elif place is None and on:
            found.append(insert_key(document, key, True, ("use_peft", "lora_r", "dtype")))
    return tuple(found)


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: use_peft, and the bits for qlora."""
    found = reading.fields["finetune_method"].value
    wanted = "full" if edit.remove else canonical("finetune_method", edit.value)
    if wanted == found:
        return ()
    if wanted not in ("full", "lora", "qlora") or found == "dora":
        reason = f"the method {wanted} needs more than one key"
        raise CannotEdit(reason, "Set use_peft: true and the keys of that method by hand")
    place, on = document.place("use_peft"), wanted != "full"
    changes: list[Change] = []
    if place is not None and bool(document.plain(place.value)) != on:
        changes.append(set_value(document, place, on))
    elif place is None and on:
        changes.append(insert_key(document, "use_peft", True, ("lora_r", "model_name_or_path")))
    bits = FieldEdit(field="quant_bits", value=4 if wanted == "qlora" else None)
    return (*changes, *edit_bits(dialect, document, bits, reading))


def edit_variable(document: Document, edit: FieldEdit) -> tuple[Change, ...]:
    """env:NAME: a line of the `env:` block, which TRL's parser exports as text."""
    name = edit.field.removeprefix("env:")
    place = document.place(f"env.{name}")
    if edit.remove:
        return (remove_key(document, place),) if place is not None else ()
    value = str(edit.value)
    if place is not None:
        same = str(document.plain(place.value)) == value
        return () if same else (set_value(document, place, value),)
    if document.place("env") is None:
        lines = ["env:", f"  {name}: {scalar_text(value, document.loader)}"]
        return (insert_lines(document, lines, (), f"env.{name}"),)
    return (insert_key(document, f"env.{name}", value),)


SPECIALS: dict[str, Special] = {
    "quant_bits": edit_bits,
    "finetune_method": edit_method,
    "group_by_length": edit_order,
}
