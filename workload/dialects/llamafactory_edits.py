"""Edits of a LLaMA-Factory YAML that are no plain key: method, bits, modules."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.data_order import edit_order
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml_document import Document


def edit_quantisation(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """quant_bits: quantization_bit; none means no such line."""
    if edit.remove or canonical("quant_bits", edit.value) is None:
        return _without_bits(document)
    return dialect.key_changes(document, edit, reading)


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: qlora is lora with quantization_bit."""
    wanted = None if edit.remove else canonical("finetune_method", edit.value)
    found = reading.fields["finetune_method"].value
    if wanted == found:
        return ()
    if edit.remove:
        return dialect.key_changes(document, edit, reading)
    if wanted == "lora" and found == "qlora":
        return _without_bits(document)
    if wanted not in ("lora", "full", "freeze", "oft"):
        reason = f"the method {wanted} needs more than one key"
        raise CannotEdit(reason, "Set finetuning_type: lora and the keys of that method by hand")
    changes = dialect.key_changes(document, edit, reading)
    return (*changes, *_without_bits(document)) if wanted in ("full", "freeze") else changes


def edit_optimizer(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """optimizer: a switch such as use_galore replaces whatever optim says."""
    found = reading.fields.get("optimizer")
    if found is not None and found.key is not None and found.key != "optim":
        reason = f"{found.key} replaces the optimizer"
        raise CannotEdit(reason, f"Remove {found.key}, then set optim", found.line)
    return dialect.key_changes(document, edit, reading)


def edit_modules(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """lora_target: a list is written with commas between."""
    value = canonical("lora_target_modules", edit.value)
    if isinstance(value, list):
        edit = edit.model_copy(update={"value": ",".join(map(str, value))})
        key = dialect.key_of("lora_target_modules")
        found = reading.fields.get("lora_target_modules")
        if found is not None and same("lora_target_modules", found.value, value):
            return ()
        place = document.place("lora_target")
        text = str(edit.value)
        if place is not None:
            return (set_value(document, place, text),)
        return (insert_key(document, "lora_target", text, dialect.neighbours(key) if key else ()),)
    return dialect.key_changes(document, edit, reading)


def _without_bits(document: Document) -> tuple[Change, ...]:
    names = ("quantization_bit", "quantization_method", "quantization_type")
    held = [place for name in names if (place := document.place(name)) is not None]
    bits = [place for place in held if place.path == "quantization_bit"]
    return tuple(remove_key(document, place) for place in bits)


SPECIALS: dict[str, Special] = {
    "quant_bits": edit_quantisation,
    "finetune_method": edit_method,
    "optimizer": edit_optimizer,
    "group_by_length": edit_order,
    "lora_target_modules": edit_modules,
}
