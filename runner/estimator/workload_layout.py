"""Reads how a user's run is split over devices, and whose overheads it has."""

from __future__ import annotations

from audit.records.base import Json
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from runner.estimator.job import Layout, Sharding, Stack
from runner.estimator.workload_recipe import Notes

_STACKS: dict[str, Stack] = {
    "ms-swift": "ms-swift",
    "torchtune": "torchtune",
    "litgpt": "litgpt",
    "nemo_rl": "automodel",
    "primus": "megatron",
}


def read_stack(workload: Workload) -> Stack:
    """Training code with the same overheads as the workload's framework."""
    if workload.value("deepspeed_stage") is not None:
        return "deepspeed"
    return _STACKS.get(workload.framework, "hf")


def read_layout(
    workload: Workload,
    hardware: Hardware,
    gpus: int,
    nodes: int,
    accumulation: int,
    notes: Notes,
) -> Layout:
    """`nodes` machines of `gpus` cards; data parallel unless the file says otherwise."""
    total = max(1, gpus * nodes)
    tensor = _degree(workload.value("tensor_parallel_size"), total)
    context = _degree(workload.value("context_parallel_size"), total // tensor)
    if total > 1 and workload.value("device_map") == "auto":
        notes.add("device_map auto: the cards work one after the other")
        return Layout(gpus=total, node=gpus, pipeline=total, virtual=1 / accumulation)
    return Layout(
        gpus=total,
        node=max(1, gpus),
        sharding=_sharding(workload, total),
        tensor=tensor,
        context=context,
    )


def _degree(value: Json, limit: int) -> int:
    return min(value, max(1, limit)) if isinstance(value, int) and value > 1 else 1


def _sharding(workload: Workload, total: int) -> Sharding:
    stage = workload.value("deepspeed_stage")
    if isinstance(stage, int) and not isinstance(stage, bool):
        stages: tuple[Sharding, ...] = ("ddp", "zero1", "zero2", "zero3")
        return stages[min(max(stage, 0), 3)] if stage or total > 1 else "none"
    if total == 1:
        return "none"
    fsdp = workload.value("fsdp")
    if fsdp and not (isinstance(fsdp, str) and "no_shard" in fsdp.lower()):
        return "fsdp"
    return "ddp"
