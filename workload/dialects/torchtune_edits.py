"""Edits of a torchtune YAML that are no plain key: component names, dtype, compile."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.class_paths import FUSED, optimizer_class
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml_document import Document, Place


def edit_optimizer(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """optimizer: the class path, and `fused` for the fused AdamW of torch."""
    place, fused = document.place("optimizer._component_"), document.place("optimizer.fused")
    wanted = None if edit.remove else canonical("optimizer", edit.value)
    path = optimizer_class(str(wanted))
    if place is None or path is None:
        reason = f"torchtune builds no optimizer {wanted} from a name that is known"
        raise CannotEdit(reason, "Write its class path to optimizer._component_")
    changes: list[Change] = []
    if document.plain(place.value) != path:
        changes.append(set_value(document, place, path))
    on = fused is not None and document.plain(fused.value) is True
    if wanted == FUSED and not on:
        changes.append(
            set_value(document, fused, True)
            if fused is not None
            else insert_key(document, "optimizer.fused", True, ("optimizer._component_",))
        )
    elif wanted == "adamw_torch" and on and fused is not None:
        changes.append(set_value(document, fused, False))
    elif fused is not None and not path.startswith("torch."):
        changes.append(remove_key(document, fused))
    return tuple(changes)


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: between lora and qlora, whose builders differ by one letter."""
    found = reading.fields.get("finetune_method")
    wanted = None if edit.remove else canonical("finetune_method", edit.value)
    if found is not None and found.value == wanted:
        return ()
    return _rename(document, str(wanted))


def edit_bits(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """quant_bits: 4 is the qlora builder."""
    wanted = None if edit.remove else canonical("quant_bits", edit.value)
    found = reading.fields.get("quant_bits")
    if found is not None and found.value == wanted:
        return ()
    if wanted not in (None, 4):
        reason = f"torchtune quantises to 4 bits, not {wanted}"
        raise CannotEdit(reason, "Use a qlora_ builder in model._component_")
    return _rename(document, "lora" if wanted is None else "qlora")


def edit_precision(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """bf16: the dtype of everything."""
    on = not edit.remove and bool(canonical("bf16", edit.value))
    again = FieldEdit(field="model_load_dtype", value="bf16" if on else "fp32")
    return dialect.key_changes(document, again, reading)


def edit_modules(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """lora_target_modules: attention modules by name; the others have switches of their own."""
    found = reading.fields.get("lora_target_modules")
    if found is not None and same("lora_target_modules", found.value, edit.value):
        return ()
    reason = "torchtune names attention modules and switches the others"
    advice = "Set model.lora_attn_modules, apply_lora_to_mlp and apply_lora_to_output"
    raise CannotEdit(reason, advice, found.line if found is not None else None)


def _rename(document: Document, wanted: str) -> tuple[Change, ...]:
    place: Place | None = document.place("model._component_")
    path = document.plain(place.value) if place is not None else None
    module, _, builder = str(path).rpartition(".")
    now = next((word for word in ("qlora", "lora") if builder.startswith(word + "_")), None)
    if place is None or now is None or wanted not in ("qlora", "lora"):
        reason = f"the method {wanted} needs another model builder"
        raise CannotEdit(reason, "Name the builder in model._component_ and the keys it takes")
    return (set_value(document, place, f"{module}.{wanted}{builder.removeprefix(now)}"),)


SPECIALS: dict[str, Special] = {
    "optimizer": edit_optimizer,
    "finetune_method": edit_method,
    "quant_bits": edit_bits,
    "bf16": edit_precision,
    "lora_target_modules": edit_modules,
}
