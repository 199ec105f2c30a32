"""Workloads of plain stated values, for tests of the estimator."""

from __future__ import annotations

from audit.records.base import Json
from audit.records.workload import DataLengths, FieldValue, Workload

LORA: dict[str, Json] = {
    "model_id": "meta-llama/Llama-3.1-8B",
    "task": "sft",
    "finetune_method": "lora",
    "lora_r": 16,
    "lora_target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "compute_dtype": "bf16",
    "model_load_dtype": "bf16",
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 4,
    "max_seq_len": 2048,
    "packing": False,
    "attn_implementation": "sdpa",
    "gradient_checkpointing": True,
    "optimizer": "adamw_torch_fused",
}
LENGTHS = DataLengths(p50=400, p95=1200, max=4000, origin="stated", source="--lengths")


def make_workload(
    lengths: DataLengths | None = LENGTHS, framework: str = "trl", **values: Json
) -> Workload:
    """LORA with other values; a value of `...` is unknown, None is absent."""
    fields = {}
    for name, value in {**LORA, **values}.items():
        if value is ...:
            fields[name] = FieldValue(value=None, origin="unknown")
        elif value is not None:
            fields[name] = FieldValue(value=value, origin="stated")
    return Workload(
        name="train.py",
        format="py_trl",
        framework=framework,
        files=(),
        fields=fields,
        versions={"transformers": "5.23.0"},
        lengths=lengths,
    )
