"""Edits of a LitGPT YAML that are no plain key: quantisation, method, precision, optimizer."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.class_paths import optimizer_class
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml_document import Document

QUANTIZE = {4: "bnb.nf4", 8: "bnb.int8-training"}


def edit_bits(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """quant_bits: the quantize key."""
    wanted = None if edit.remove else canonical("quant_bits", edit.value)
    place, found = document.place("quantize"), reading.fields.get("quant_bits")
    if found is not None and same("quant_bits", found.value, wanted):
        return ()
    if wanted is None:
        return (remove_key(document, place),) if place is not None else ()
    if wanted not in QUANTIZE:
        reason = f"LitGPT quantises to 4 or 8 bits, not {wanted}"
        raise CannotEdit(reason, f"Write quantize: {QUANTIZE[4]}")
    if place is not None:
        return (set_value(document, place, QUANTIZE[wanted]),)
    return (insert_key(document, "quantize", QUANTIZE[wanted], ("precision", "out_dir")),)


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: between lora and qlora; anything else is another command."""
    found = reading.fields["finetune_method"].value
    wanted = None if edit.remove else canonical("finetune_method", edit.value)
    if wanted == found:
        return ()
    if {wanted, found} != {"lora", "qlora"}:
        reason = f"the command on the launch line decides between {found} and {wanted}"
        raise CannotEdit(reason, "Launch litgpt finetune_lora, finetune or finetune_adapter")
    bits = FieldEdit(field="quant_bits", value=4 if wanted == "qlora" else None)
    return edit_bits(dialect, document, bits, reading)


def edit_precision(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """bf16 and fp16: mixed precision, which keeps the weights in 32 bits."""
    on = not edit.remove and bool(canonical(edit.field, edit.value))
    found = reading.fields.get(edit.field)
    if found is not None and bool(found.value) == on:
        return ()
    word = ("bf16-mixed" if edit.field == "bf16" else "16-mixed") if on else "32-true"
    place = document.place("precision")
    if place is not None:
        return (set_value(document, place, word),)
    return (insert_key(document, "precision", word, ("out_dir", "checkpoint_dir")),)


def edit_optimizer(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """optimizer: its class path."""
    found = reading.fields.get("optimizer")
    if found is not None and same("optimizer", found.value, edit.value):
        return ()
    path = None if edit.remove else optimizer_class(str(canonical("optimizer", edit.value)))
    place = document.place("optimizer.class_path") or document.place("optimizer")
    if path is None or place is None or str(edit.value).endswith("fused"):
        reason = f"LitGPT has no class path for {edit.value} in this file"
        raise CannotEdit(reason, "Write optimizer.class_path and its init_args by hand")
    return (set_value(document, place, path),)


def edit_accumulation(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """gradient_accumulation_steps follows from the batch sizes."""
    found = reading.fields.get("gradient_accumulation_steps")
    if found is not None and same(edit.field, found.value, edit.value):
        return ()
    reason = "LitGPT derives accumulation from train.global_batch_size"
    raise CannotEdit(reason, "Set train.global_batch_size and train.micro_batch_size")


SPECIALS: dict[str, Special] = {
    "quant_bits": edit_bits,
    "finetune_method": edit_method,
    "bf16": edit_precision,
    "fp16": edit_precision,
    "optimizer": edit_optimizer,
    "gradient_accumulation_steps": edit_accumulation,
}
