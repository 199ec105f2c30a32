"""Refuses values that no training run can have, by the name of their field and their line.

A value is refused, never replaced: a projection of another run than the one asked for is worse than
none. Called before a Job is made; what it lets through cannot make a figure that is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from audit.records.base import Json
from audit.records.errors import MissingFacts
from audit.records.workload import DataLengths, Workload
from kb.catalog.models import Model


class Range(NamedTuple):
    """Whole numbers that a field may hold."""

    low: int
    high: int


COUNTS: Mapping[str, Range] = {
    "per_device_train_batch_size": Range(1, 1_000_000),
    "gradient_accumulation_steps": Range(1, 1_000_000),
    "max_seq_len": Range(1, 100_000_000),
    "lora_r": Range(1, 100_000),
    "tensor_parallel_size": Range(1, 4096),
    "context_parallel_size": Range(1, 4096),
    "pipeline_parallel_size": Range(1, 4096),
    "num_processes": Range(1, 1_000_000),
    "num_machines": Range(1, 100_000),
    "deepspeed_stage": Range(0, 3),
}
"""Far wider than any run published so far (2026): beyond them is a slip of the keyboard."""
BITS = (4, 8)
NAMES = (
    "model_id", "task", "finetune_method", "compute_dtype", "model_load_dtype", "optimizer",
    "attn_implementation", "quant_type",
)  # fmt: skip
MAX_DEVICES = 1_000_000
PARALLEL = ("tensor_parallel_size", "context_parallel_size", "pipeline_parallel_size")


def check_values(workload: Workload) -> None:
    """Raise MissingFacts for the first field whose value no run can have."""
    for name, allowed in COUNTS.items():
        value = workload.value(name)
        if value is not None and not _is_count(value, allowed):
            what = f"a whole number from {allowed.low} to {allowed.high:,}"
            _refuse(workload, name, value, what)
    bits = workload.value("quant_bits")
    if bits and bits not in BITS:
        _refuse(workload, "quant_bits", bits, "4 or 8: other widths are not projected")
    for name in NAMES:
        value = workload.value(name)
        if value is not None and not isinstance(value, str):
            _refuse(workload, name, value, "a name")
    targets = workload.value("lora_target_modules")
    if targets is not None and not _is_names(targets):
        _refuse(workload, "lora_target_modules", targets, "a list of module names")
    if workload.lengths is not None:
        _check_lengths(workload.lengths)


def count_of(workload: Workload, name: str) -> int | None:
    """A checked count as an int (`4.0` is 4); None where nobody states it."""
    value = workload.value(name)
    return None if value is None else int(value)


def check_devices(workload: Workload, model: Model, gpus: int, nodes: int) -> None:
    """Raise MissingFacts where the ways to split the work do not go with the GPUs asked for."""
    for name, count in (("gpus", gpus), ("nodes", nodes)):
        if count < 1:
            message = f"{name} is {count}; it must be a whole number from 1 on"
            raise MissingFacts(message, missing=(name,))
    total = gpus * nodes
    if total > MAX_DEVICES:
        message = (
            f"{gpus} GPUs on {nodes} nodes are {total:,}; at most {MAX_DEVICES:,} are projected"
        )
        raise MissingFacts(message, missing=("gpus", "nodes"))
    degrees = {name: size for name in PARALLEL if (size := count_of(workload, name) or 1) > 1}
    needed = math.prod(degrees.values())
    if total % needed:
        product = " x ".join(f"{name} {size}" for name, size in degrees.items())
        message = f"{product} needs a multiple of {needed} GPUs, and there are {total}"
        remedy = f"State --gpus and --nodes so that their product is a multiple of {needed}."
        raise MissingFacts(message, missing=tuple(degrees), remedy=remedy)
    tensor = degrees.get("tensor_parallel_size", 1)
    if model.heads % tensor:
        heads = f"{model.heads} heads of {model.name}"
        message = f"tensor_parallel_size {tensor} does not divide the {heads}"
        raise MissingFacts(message, missing=("tensor_parallel_size",))
    stages = degrees.get("pipeline_parallel_size", 1)
    if stages > model.layers:
        layers = f"{model.layers} layers of {model.name}"
        message = f"pipeline_parallel_size {stages} is more than the {layers}"
        raise MissingFacts(message, missing=("pipeline_parallel_size",))


def _is_count(value: Json, allowed: Range) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return allowed.low <= value <= allowed.high and value == int(value)


def _is_names(value: Json) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(one, str) for one in value)
    )


def _check_lengths(lengths: DataLengths) -> None:
    if not 1 <= lengths.p50 <= lengths.p95 <= lengths.max <= COUNTS["max_seq_len"].high:
        message = (
            f"lengths p50={lengths.p50}, p95={lengths.p95}, max={lengths.max} are no lengths: "
            "1 <= p50 <= p95 <= max"
        )
        raise MissingFacts(message, missing=("lengths",), remedy="State --lengths in that order.")


def _refuse(workload: Workload, name: str, value: Json, what: str) -> None:
    field = workload.fields[name]
    shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:37]}..."
    message = f"{name} is {shown}; it must be {what}"
    raise MissingFacts(
        message,
        missing=(name,),
        remedy=f"Write it as {what.partition(':')[0]}.",
        file=field.file,
        line=field.line,
    )
