"""Edits of a verl YAML that are no plain key: LoRA, offload, accumulation."""

from __future__ import annotations

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.yaml_dialect import Special, YamlDialect
from workload.normalise import canonical, same
from workload.splice.keys import insert_key, set_value
from workload.splice.yaml_document import Document

MODELS = ("actor_rollout_ref.model", "model")
OFFLOAD = "actor_rollout_ref.actor.fsdp_config.optimizer_offload"


def edit_adapter(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method and lora_r: lora_rank, where 0 is no LoRA."""
    found = reading.fields.get(edit.field)
    wanted = None if edit.remove else canonical(edit.field, edit.value)
    if found is not None and found.origin != "unknown" and same(edit.field, found.value, wanted):
        return ()
    if edit.field == "finetune_method" and wanted not in ("full", None):
        reason = f"the method {wanted} needs a rank"
        raise CannotEdit(reason, "Set lora_rank and lora_alpha in the model block")
    rank = 0 if edit.remove or edit.field == "finetune_method" else wanted
    return (_set(document, [f"{model}.lora_rank" for model in MODELS], rank),)


def edit_offload(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """offload_optimizer: the actor's switch."""
    found = reading.fields.get("offload_optimizer")
    on = not edit.remove and canonical("offload_optimizer", edit.value) not in (None, "none")
    if found is not None and (found.value == "cpu") == on:
        return ()
    return (_set(document, [OFFLOAD], on),)


def edit_accumulation(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """gradient_accumulation_steps follows from the batch sizes and the ranks."""
    reason = "verl derives accumulation from data.train_batch_size"
    raise CannotEdit(reason, "Set data.train_batch_size and the micro batch per GPU")


def _set(document: Document, paths: list[str], value: object) -> Change:
    for path in paths:
        place = document.place(path)
        if place is not None:
            return set_value(document, place, value)
    held = [path for path in paths if document.places(path.rpartition(".")[0])]
    if not held:
        reason = f"the file has no block for {paths[-1]}"
        raise CannotEdit(reason, f"Write {paths[-1]}: {value}")
    return insert_key(document, held[0], value)


SPECIALS: dict[str, Special] = {
    "finetune_method": edit_adapter,
    "lora_r": edit_adapter,
    "offload_optimizer": edit_offload,
    "gradient_accumulation_steps": edit_accumulation,
}
