"""Edits of a NeMo RL YAML that are no plain key: method, precision, optimizer, accumulation."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.class_paths import FUSED, optimizer_class
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, set_value
from workload.splice.yaml_document import Document

ADAPTERS = ("policy.dtensor_cfg.lora_cfg", "policy.megatron_cfg.peft")


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: the switch of the adapter's block, where the file has the block."""
    wanted = "full" if edit.remove else canonical("finetune_method", edit.value)
    found = reading.fields.get("finetune_method")
    if found is not None and found.origin != "unknown" and found.value == wanted:
        return ()
    key = dialect.key_of("lora_r")
    block = key.names[0].rpartition(".")[0] if key is not None else ADAPTERS[0]
    if wanted not in ("full", "lora") or not document.places(block):
        reason = f"the method {wanted} needs the block {block}"
        raise CannotEdit(reason, f"Write {block} with enabled, dim and alpha by hand")
    place = document.place(f"{block}.enabled")
    if place is not None:
        return (set_value(document, place, wanted == "lora"),)
    return (insert_key(document, f"{block}.enabled", wanted == "lora"),)


def edit_precision(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """bf16: policy.precision."""
    on = not edit.remove and bool(canonical("bf16", edit.value))
    again = FieldEdit(field="model_load_dtype", value="bf16" if on else "fp32")
    return dialect.key_changes(document, again, reading)


def edit_optimizer(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """optimizer: the class path of the dtensor backend; Megatron builds its own Adam."""
    found, place = reading.fields.get("optimizer"), document.place("policy.optimizer.name")
    if found is not None and same("optimizer", found.value, edit.value):
        return ()
    wanted = None if edit.remove else canonical("optimizer", edit.value)
    path = optimizer_class(str(wanted))
    if place is None or path is None or wanted == FUSED:
        reason = f"the file names no optimizer class that could become {wanted}"
        raise CannotEdit(reason, "Write policy.optimizer.name and its kwargs by hand")
    return (set_value(document, place, path),)


def edit_accumulation(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """gradient_accumulation_steps follows from the batch sizes and the ranks."""
    reason = "NeMo RL derives accumulation from policy.train_global_batch_size"
    raise CannotEdit(reason, "Set policy.train_global_batch_size and train_micro_batch_size")


SPECIALS: dict[str, Special] = {
    "finetune_method": edit_method,
    "bf16": edit_precision,
    "optimizer": edit_optimizer,
    "gradient_accumulation_steps": edit_accumulation,
}
