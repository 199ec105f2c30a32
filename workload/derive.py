"""Fields that follow from others, the same for every dialect: compute dtype and effective batch."""

from __future__ import annotations

from collections.abc import Mapping

from audit.records.base import Json
from audit.records.workload import FieldValue

LORA_FIELDS = frozenset({"lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"})
FOLLOWS: dict[str, frozenset[str]] = {
    "bf16": frozenset({"fp16", "fp8", "model_load_dtype"}),
    "fp16": frozenset({"bf16", "fp8"}),
    "quant_bits": frozenset({"finetune_method", "quant_type"}),
    "finetune_method": frozenset({"quant_bits", "quant_type"}) | LORA_FIELDS,
    "lora_r": frozenset({"finetune_method"}) | LORA_FIELDS,
    "gradient_checkpointing": frozenset(
        {"activation_offloading", "gradient_checkpointing_reentrant"}
    ),
    "padding_free": frozenset({"packing"}),
    "num_processes": frozenset({"env:NPROC_PER_NODE", "env"}),
    "num_machines": frozenset({"env:NNODES", "env"}),
    "env:NPROC_PER_NODE": frozenset({"num_processes"}),
    "env:NNODES": frozenset({"num_machines"}),
}
"""Fields that may change with the edited one although the file states both; every derived,
default or assumed field may follow an edit as well."""


def derive_fields(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """compute_dtype and effective_batch, where the dialect has not given them itself."""
    found: dict[str, FieldValue] = {}
    if "compute_dtype" not in fields:
        found["compute_dtype"] = compute_dtype(fields)
    if "effective_batch" not in fields:
        batch = effective_batch(fields)
        if batch is not None:
            found["effective_batch"] = batch
    return found


def compute_dtype(fields: Mapping[str, FieldValue]) -> FieldValue:
    """The dtype of the matrix products: autocast where it is on, else that of the weights."""
    bf16, fp16 = _value(fields, "bf16"), _value(fields, "fp16")
    if _value(fields, "fp8"):
        return _derived("fp8", "fp8 is on")
    if fp16 and bf16 in (None, False, "auto"):
        return _derived("fp16", "fp16 is on")
    if bf16 == "auto":
        return _derived("bf16", "bf16: auto means bf16 on a card that has it")
    if bf16:
        return _derived("bf16", "bf16 is on")
    for name in ("bf16", "fp16"):
        if name in fields and fields[name].origin == "unknown":
            return FieldValue(value=None, origin="unknown", source=f"{name} is not known")
    weights = _value(fields, "model_load_dtype")
    if weights in ("bf16", "fp16", "fp32"):
        return _derived(weights, f"no autocast; the weights are {weights}")
    return FieldValue(value=None, origin="unknown", source="the dtype of the weights is not known")


def effective_batch(fields: Mapping[str, FieldValue]) -> FieldValue | None:
    """Samples per optimizer step: micro batch x accumulation x data-parallel ranks."""
    micro = _value(fields, "per_device_train_batch_size")
    accumulation = _value(fields, "gradient_accumulation_steps")
    if not isinstance(micro, int) or not isinstance(accumulation, int):
        return None
    processes, machines = _value(fields, "num_processes"), _value(fields, "num_machines")
    if not isinstance(processes, int):
        return _derived(micro * accumulation, f"{micro} x {accumulation} per rank")
    nodes = machines if isinstance(machines, int) else 1
    split = 1
    for name in ("tensor_parallel_size", "context_parallel_size"):
        size = _value(fields, name)
        split *= size if isinstance(size, int) and size > 0 else 1
    ranks = max(1, processes * nodes // split)
    return _derived(micro * accumulation * ranks, f"{micro} x {accumulation} x {ranks} ranks")


def _derived(value: Json, source: str) -> FieldValue:
    return FieldValue(value=value, origin="derived", source=source)


def _value(fields: Mapping[str, FieldValue], name: str) -> Json:
    found = fields.get(name)
    return None if found is None or found.origin == "unknown" else found.value
