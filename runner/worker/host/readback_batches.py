"""Reads back what reaches the model: rows, padding, packing, order; and the loader behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit.records.measured import ReadBack
from runner.worker.host.arm import ArmRun
from runner.worker.host.observe import Seen
from runner.worker.host.row import row

LOOKED_AT = 8
"""Micro-batches of the plan that are looked at."""


def read_batches(run: ArmRun, seen: Seen) -> Iterator[ReadBack]:
    """What the watched step was given."""
    recipe = run.recipe
    yield from _shapes(run, seen)
    rows = [one for number in range(LOOKED_AT) for one in _plan(run).rows(number)]
    together = any(len(one) > 1 for one in rows)
    yield row("packing", recipe.padding == "packed", together, "samples that share a planned row")
    inputs = run.loader.dataset[0].inputs
    joined = recipe.padding in ("packed", "padding_free")
    if joined:
        how = "positions that start again"
        yield row("packing", recipe.isolated, "position_ids" in inputs, how)
    yield row(
        "padding_free",
        recipe.padding == "padding_free",
        recipe.padding != "packed" and "position_ids" in inputs,
        "inputs of a micro-batch",
    )
    if recipe.padding != "packed":
        first = [one[0] for one in rows]
        sorted_ = first != sorted(first)
        yield row("group_by_length", recipe.padding == "grouped", sorted_, "order of the samples")
    longest = _plan(run).stream.longest
    yield row(
        "max_seq_len",
        recipe.max_length,
        f"samples of at most {longest}",
        "the sample stream",
        same=longest <= recipe.max_length,
    )


def _plan(run: ArmRun) -> Any:
    batches: Any = run.loader.dataset
    return batches.plan


def _shapes(run: ArmRun, seen: Seen) -> Iterator[ReadBack]:
    recipe, shapes = run.recipe, seen.input_shapes
    rows = shapes[0][0]
    if recipe.padding == "padding_free":
        yield row("padding_free", 1, rows, "rows of input_ids")
        count = len(_plan(run).rows(0))
        yield row("per_device_train_batch_size", recipe.micro_batch, count, "samples of a row")
    else:
        yield row("per_device_train_batch_size", recipe.micro_batch, rows, "rows of input_ids")
    how = "forward passes of a step"
    yield row("gradient_accumulation_steps", recipe.accumulation, len(shapes), how)
    full = {shape[1] for shape in shapes} == {recipe.max_length}
    wanted = recipe.padding == "max"
    yield row(
        "pad_to_max_length",
        wanted,
        full if wanted else wanted,
        "width of input_ids",
        same=full if wanted else True,
    )


def read_loader(run: ArmRun) -> Iterator[ReadBack]:
    """The settings of the loader that was built, and its processes."""
    recipe, loader = run.recipe.loader, run.loader
    how = "the built DataLoader"
    yield row("dataloader_num_workers", recipe.workers, loader.num_workers, how)
    processes = getattr(run.feed, "_workers", None)  # torch names them nowhere else
    if processes is not None:
        alive = sum(one.is_alive() for one in processes)
        yield row("dataloader_num_workers", recipe.workers, alive, "loader processes that run")
    if run.device.gpu:
        yield row("dataloader_pin_memory", recipe.pin_memory, loader.pin_memory, how)
    if recipe.workers:
        ahead = recipe.prefetch or 2
        yield row("dataloader_prefetch_factor", ahead, loader.prefetch_factor, how)
        # batches asked for and not yet taken: each process is kept `prefetch` ahead
        asked = getattr(run.feed, "_task_info", None)
        if asked is not None:
            how = "batches asked of the loader processes"
            yield row("dataloader_prefetch_factor", ahead * recipe.workers, len(asked), how)
