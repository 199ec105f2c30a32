"""Lists the edits of a file that keep its maths, as far as the estimator sees a difference.

Recomputation, weights kept on the host, the ZeRO stage, and padding that nobody needs. Micro-batch
and accumulation are columns (`best`). Not listed: FSDP's strategies, offloaded activations and
loader workers (no term of the speed tells them apart), states on the host (the CPU's Adam rounds
otherwise), packing, kernels, dtypes and optimizers (they change numbers or what is learned).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from audit.records.base import Json
from audit.records.workload import Workload
from runner.estimator.limits import count_of
from runner.estimator.workload_recipe import switched_on

STAGES = (1, 2, 3)
"""ZeRO stages with the same optimizer on the same fp32 copies; only what is split differs."""


def neutral_edits(workload: Workload, ranks: int) -> Iterator[Mapping[str, Json]]:
    """Every combination of neutral values that differs from the file, the empty one first.

    Args:
        workload: the file.
        ranks: all cards; one card has nothing to shard.
    """
    knobs = [
        [{}, *({name: value} for value in values)]
        for name, values in _knobs(workload, ranks).items()
        if values
    ]
    for choice in product(*knobs):
        edit: dict[str, Json] = {}
        for one in choice:
            edit |= one
        if not _contradicts(workload, edit):
            yield edit


def _knobs(workload: Workload, ranks: int) -> dict[str, list[Json]]:
    """Field -> values other than the file's own."""
    found: dict[str, list[Json]] = {"gradient_checkpointing": _recomputation(workload)}
    if switched_on(workload, "offload_param"):
        found["offload_param"] = ["none"]
    stage = count_of(workload, "deepspeed_stage")
    if stage in STAGES and ranks > 1:
        found["deepspeed_stage"] = [other for other in STAGES if other != stage]
    if _padded(workload):
        found["padding_free"] = [True]
    if switched_on(workload, "pad_to_max_length") and not switched_on(workload, "packing"):
        found["pad_to_max_length"] = [False]
    return found


def _recomputation(workload: Workload) -> list[Json]:
    """On and off; a mode of its own (`selective`, `offload`) is the file's and stays a choice."""
    if workload.value("gradient_checkpointing", default=False) is True:
        return [False]
    return [True, False] if switched_on(workload, "gradient_checkpointing") else [True]


def _padded(workload: Workload) -> bool:
    """Whether the trainer could flatten its batches: TRL does, over kernels of variable length."""
    attention = str(workload.value("attn_implementation", ""))
    return (
        workload.framework == "trl"
        and workload.value("task", default="sft") == "sft"
        and attention.startswith("flash_attention")
        and not switched_on(workload, "packing")
        and not switched_on(workload, "padding_free")
    )


def _contradicts(workload: Workload, edit: Mapping[str, Json]) -> bool:
    """Combinations that no trainer takes: weights on the host below stage 3."""
    stage = edit.get("deepspeed_stage", count_of(workload, "deepspeed_stage"))
    away = switched_on(workload, "offload_param") and "offload_param" not in edit
    return away and stage in (1, 2)
