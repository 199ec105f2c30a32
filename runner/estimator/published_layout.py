"""Reads how a published run was split over devices: parallelism strings, batch and accumulation."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kb.catalog.hardware import Hardware
from runner.estimator.job import Layout, Sharding, Stack

Row = dict[str, Any]
"""A published row as JSON, keys as in data/published.json."""


class Split(NamedTuple):
    """Layout and batch of one run."""

    layout: Layout
    micro_batch: float
    accumulation: float


def read_split(row: Row, stack: Stack, hardware: Hardware) -> Split:
    """Layout, micro-batch and accumulation; what a row leaves open is solved from the rest."""
    text = row.get("parallelism") or ""
    gpus = int(row.get("n_gpus") or 1)
    tensor, pipeline = _degree(text, "TP"), _degree(text, "PP")
    context, virtual = _degree(text, "CP"), _degree(text, "VP")
    shards = _degree(text, "FSDP", 0)
    batch, count = row.get("micro_batch"), row.get("grad_accum")
    total = row.get("global_batch")
    if re.search(r"\b2D\b", text):
        tensor = 8
    if re.search(r"1F1B|interleaved|schedule", text, re.I) and pipeline == 1:
        tensor, pipeline = 8, 8
    if shards and stack == "torchtitan" and gpus > shards * context * tensor:
        tensor = 8
        pipeline = max(1, gpus // (shards * context * tensor))
    if batch is None and total and count and gpus > 1:
        # one sample per replica and micro-step: the rest of the devices share it
        tensor = max(1, min(8, gpus * int(count) // int(total)))
        context = max(1, gpus * int(count) // int(total) // tensor)
        if tensor == 8:
            tensor, context = 4, 2 * context
    layout = Layout(
        gpus=gpus,
        node=min(gpus, 8),
        sharding=_sharding(row, stack, text, gpus, shards),
        tensor=tensor,
        pipeline=pipeline,
        virtual=virtual,
        context=context,
        expert=_experts(row, text, stack, gpus),
        overlapped_tensor=bool(re.search(r"async\s?tp", text + (row.get("other") or ""), re.I)),
        # torchtitan shards weights over the context ranks too
        shards=shards * (context if stack == "torchtitan" else 1) if shards > 1 else 0,
    )
    return _batch(layout, batch, count, total)


def _batch(layout: Layout, batch: Any, count: Any, total: Any) -> Split:
    replicas = layout.replicas
    if batch is None:
        batch = total / replicas / (count or 1) if total else 1
    if count is None:
        count = total / (batch * replicas) if total else 1
    if layout.pipeline > 1 and count == 1 and batch > 1:
        batch, count = 1, batch  # a pipeline splits its batch into micro-batches
    return Split(layout, max(1.0, float(batch)), max(1.0, float(count)))


def _degree(text: str, name: str, default: int = 1) -> int:
    found = re.search(rf"\b{name}\s?(\d+)", text)
    return int(found.group(1)) if found else default


def _experts(row: Row, text: str, stack: Stack, gpus: int) -> int:
    if stack == "maxtext":
        return 8
    found = re.search(r"\bEP\s?(\d+)", text) or re.search(r"-ep(\d+)", row.get("framework") or "")
    if found:
        return int(found.group(1))
    deep = "deepep" in (row.get("other") or "").lower()
    return min(gpus, 8) if stack == "automodel" and deep else 1


def _sharding(row: Row, stack: Stack, text: str, gpus: int, shards: int) -> Sharding:
    if gpus == 1:
        if stack != "deepspeed":
            return "none"
        # one card: the recipe starts an engine for full and QLoRA runs only
        return {"full": "zero3", "qlora": "zero2"}.get(str(row.get("method")), "none")  # type: ignore[return-value]
    stage = re.search(r"zero[- ]?(\d)", text, re.I)
    if stage and "fully" not in text.lower():
        return {"1": "zero1", "2": "zero2", "3": "zero3"}.get(stage.group(1), "zero3")  # type: ignore[return-value]
    if re.search(r"replicated|\bddp\b", text, re.I):
        return "ddp"
    if stack == "megatron":
        return "fsdp" if shards > 1 else "ddp"
    if stack == "deepspeed":
        return "zero3" if row.get("method") == "full" else "zero2"
    if stack == "nemo-lora":
        return "ddp"
    return "fsdp"
