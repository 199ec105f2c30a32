"""Reads how a user's run is split over devices, and whose overheads it has."""

from __future__ import annotations

from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from runner.estimator.job import Layout, Sharding, Stack
from runner.estimator.limits import count_of
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
    total = gpus * nodes
    _tell_other_count(workload, total, notes)
    if total > 1 and workload.value("device_map") == "auto":
        notes.add("device_map auto: the cards work one after the other")
        return Layout(gpus=total, node=gpus, pipeline=total, virtual=1 / accumulation)
    return Layout(
        gpus=total,
        node=gpus,
        sharding=_sharding(workload, total),
        tensor=count_of(workload, "tensor_parallel_size") or 1,
        pipeline=count_of(workload, "pipeline_parallel_size") or 1,
        context=count_of(workload, "context_parallel_size") or 1,
    )


def _tell_other_count(workload: Workload, total: int, notes: Notes) -> None:
    """The card count is the caller's; a file that names another one is not silently overruled."""
    processes = count_of(workload, "num_processes")
    if processes not in (None, total, total // (count_of(workload, "num_machines") or 1)):
        ranks = f"{processes} process{'es' if processes != 1 else ''}"
        notes.add(f"the files name {ranks}: projected on {total} as asked for")


def _sharding(workload: Workload, total: int) -> Sharding:
    stage = count_of(workload, "deepspeed_stage")
    if stage is not None:
        stages: tuple[Sharding, ...] = ("ddp", "zero1", "zero2", "zero3")
        return stages[stage] if stage or total > 1 else "none"
    if total == 1:
        return "none"
    fsdp = workload.value("fsdp")
    if fsdp and not (isinstance(fsdp, str) and "no_shard" in fsdp.lower()):
        return "fsdp"
    return "ddp"
