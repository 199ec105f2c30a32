"""Edits of an axolotl YAML that are no plain key: bits, adapter, attention, modules, Liger."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.yaml import insert_key, insert_lines, remove_key, set_key_and_value, set_value
from workload.splice.yaml_document import Document

BITS_KEYS = {4: "load_in_4bit", 8: "load_in_8bit"}
LIGER = "axolotl.integrations.liger.LigerPlugin"
LIGER_FLAGS = (
    "liger_rope",
    "liger_rms_norm",
    "liger_glu_activation",
    "liger_fused_linear_cross_entropy",
)


def edit_quantisation(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """quant_bits: switches load_in_4bit and load_in_8bit."""
    wanted = None if edit.remove else canonical("quant_bits", edit.value)
    if wanted not in (None, *BITS_KEYS):
        reason = f"axolotl quantises to 4 or 8 bits, not {wanted}"
        raise CannotEdit(reason, "Use load_in_4bit: true or load_in_8bit: true")
    found = []
    for bits, key in BITS_KEYS.items():
        place, on = document.place(key), bits == wanted
        if place is not None and bool(document.plain(place.value)) != on:
            found.append(
                remove_key(document, place) if edit.remove else set_value(document, place, on)
            )
        elif place is None and on:
            found.append(insert_key(document, key, True, ("adapter", "base_model")))
    return tuple(found)


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: the adapter key; full means none."""
    place = document.place("adapter")
    wanted = "full" if edit.remove else canonical("finetune_method", edit.value)
    if reading.fields["finetune_method"].value == wanted:
        return ()
    if wanted == "full":
        return (remove_key(document, place),) if place is not None else ()
    if wanted not in ("lora", "qlora"):
        reason = f"the adapter {wanted} needs more than one key"
        raise CannotEdit(reason, "Set adapter: lora and the keys of that method by hand")
    if place is not None:
        return (set_value(document, place, wanted),)
    return (insert_key(document, "adapter", wanted, ("lora_r", "load_in_4bit", "base_model")),)


def edit_attention(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """attn_implementation: a deprecated switch is replaced by the new key."""
    found = reading.fields["attn_implementation"]
    place = document.place(found.key) if found.key else None
    if place is None or place.path == "attn_implementation":
        return dialect.key_changes(document, edit, reading)
    if edit.remove:
        return (remove_key(document, place),)
    if same("attn_implementation", found.value, edit.value):
        return ()
    value = canonical("attn_implementation", edit.value)
    return set_key_and_value(document, place, "attn_implementation", value)


def edit_modules(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """lora_target_modules: all linear layers are a switch of their own."""
    linear = document.place("lora_target_linear")
    modules = document.place("lora_target_modules")
    found = reading.fields.get("lora_target_modules")
    if edit.remove:
        held = [place for place in (modules, linear) if place is not None]
        return tuple(remove_key(document, place) for place in held)
    if found is not None and same("lora_target_modules", found.value, edit.value):
        return ()
    if canonical("lora_target_modules", edit.value) != "all-linear":
        if linear is not None and document.plain(linear.value):
            reason = "lora_target_linear names the modules"
            raise CannotEdit(reason, "Remove lora_target_linear and list lora_target_modules")
        return dialect.key_changes(document, edit, reading)
    if linear is not None:
        switch = set_value(document, linear, True)
    else:
        switch = insert_key(document, "lora_target_linear", True, ("lora_dropout", "lora_r"))
    return (switch, remove_key(document, modules)) if modules is not None else (switch,)


def edit_liger(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """liger: on adds the plugin and its four switches where no plugin is listed yet."""
    wanted = not edit.remove and bool(canonical("liger", edit.value))
    if bool(reading.fields["liger"].value) == wanted:
        return ()
    lines = ["plugins:", f"  - {LIGER}", *(f"{flag}: true" for flag in LIGER_FLAGS)]
    if not wanted:
        flags = [
            place
            for place in document.places()
            if place.path.startswith("liger_") and document.plain(place.value) is True
        ]
        return tuple(set_value(document, place, False) for place in flags)
    if document.place("plugins") is not None or any(map(document.place, LIGER_FLAGS)):
        reason = "the file lists plugins already"
        raise CannotEdit(reason, "Add to plugins: " + "; ".join(lines[1:]))
    change = insert_lines(document, lines, ("attn_implementation", "bf16"), "plugins[0]")
    return change, *(Change(change.end, change.end, "", flag) for flag in LIGER_FLAGS)


SPECIALS: dict[str, Special] = {
    "quant_bits": edit_quantisation,
    "finetune_method": edit_method,
    "attn_implementation": edit_attention,
    "lora_target_modules": edit_modules,
    "liger": edit_liger,
}
