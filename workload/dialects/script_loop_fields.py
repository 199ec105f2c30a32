"""The fields of a training loop of a script's own: plain PyTorch, accelerate or a DeepSpeed engine.

What a launch line or a config file decides (precision of an Accelerator without `mixed_precision`,
what a DeepSpeed config sets) is unknown here.
"""

from __future__ import annotations

import ast

from workload.dialects.defaults.hugging_face import Default
from workload.dialects.script_checkpointing import read_checkpointing, read_reentrance
from workload.dialects.script_fields import read_compilation, read_task
from workload.dialects.script_loading import read_loading
from workload.dialects.script_loop import (
    ACCELERATOR,
    CLIP,
    COMPILE,
    ENGINE,
    LOADER,
    SEED,
    part_name,
)
from workload.dialects.script_loop_optimizer import read_optimizer, read_schedule
from workload.dialects.script_loop_parts import doubtful, label, parts, the_part, training_loader
from workload.dialects.script_loop_precision import read_precision
from workload.dialects.script_loop_sharding import read_engine, read_wrappers
from workload.dialects.script_reader import ScriptReader
from workload.dialects.script_surroundings import (
    read_cache,
    read_lengths,
    read_surroundings,
)
from workload.dialects.script_values import OPEN, Known, Slot, Thing, Unknown

LOADER_KEYWORDS: dict[str, str] = {
    "batch_size": "per_device_train_batch_size",
    "num_workers": "dataloader_num_workers",
    "pin_memory": "dataloader_pin_memory",
    "prefetch_factor": "dataloader_prefetch_factor",
    "persistent_workers": "dataloader_persistent_workers",
}
"""torch.utils.data.DataLoader; its defaults (torch/utils/data/dataloader.py) are those below."""
_LOADER_DEFAULTS = {
    "batch_size": 1,
    "num_workers": 0,
    "pin_memory": False,
    "prefetch_factor": None,
    "persistent_workers": False,
}
_TORCH = "torch.utils.data.DataLoader"


def read_loop(reader: ScriptReader) -> None:
    """All fields of the reader's loop."""
    _loaders(reader)
    read_optimizer(reader)
    read_schedule(reader)
    _counts(reader)
    read_precision(reader)
    read_compilation(reader)
    _compiled(reader)
    read_loading(reader)
    read_checkpointing(reader, {})
    read_reentrance(reader, {})
    read_wrappers(reader)
    read_engine(reader)
    read_cache(reader)
    read_surroundings(reader)
    read_task(reader)
    read_lengths(reader)
    _rest(reader)
    for part in reader.run.scene.loop.parts:
        reader.list_entries(part, label(reader, part))


def _loaders(reader: ScriptReader) -> None:
    loader = training_loader(reader)
    made = parts(reader, LOADER)
    if loader is None:
        if made:
            first = made[0]
            why = Unknown(first.node, "which of several loaders trains is not shown")
            for field in LOADER_KEYWORDS.values():
                reader.hide(field, Slot(why, first.node), "DataLoader")
        return
    entries, name = reader.run.entries(loader), label(reader, loader)
    for keyword, field in LOADER_KEYWORDS.items():
        if keyword in entries:
            reader.state(field, entries[keyword], f"{name}.{keyword}")
        elif OPEN in entries:
            reader.hide(field, entries[OPEN], f"{name}.**")
        elif keyword == "batch_size" and "batch_sampler" in entries:
            why = Unknown(entries["batch_sampler"].value.node, "batches come from a batch_sampler")
            slot = entries["batch_sampler"]._replace(value=why)
            reader.hide(field, slot, f"{name}.batch_sampler")
        else:
            reader.default(field, Default(_LOADER_DEFAULTS[keyword], _TORCH))
    others = [one for one in made if one.node is not loader.node]
    if len(others) == 1 and "batch_size" in reader.run.entries(others[0]):
        slot = reader.run.entries(others[0])["batch_size"]
        reader.state("per_device_eval_batch_size", slot, f"{label(reader, others[0])}.batch_size")


def _counts(reader: ScriptReader) -> None:
    """Passes over the data, accumulation, clipping and the seed."""
    loop = reader.run.scene.loop
    _accumulation(reader)
    _passes(reader)
    clip = the_part(reader, CLIP)
    slot = reader.run.entries(clip).get("max_norm")
    if slot is not None:
        reader.state("max_grad_norm", slot, "clip_grad_norm_.max_norm")
    elif not parts(reader, CLIP) and not parts(reader, ENGINE) and loop.backward:
        reader.derived("max_grad_norm", None, "gradients are not clipped")
    seeds = [reader.run.entries(one).get("seed") for one in parts(reader, SEED)]
    if seeds and seeds[0] is not None:
        reader.state("seed", seeds[0], f"{label(reader, parts(reader, SEED)[0])}.seed")


def _accumulation(reader: ScriptReader) -> None:
    field, loop = "gradient_accumulation_steps", reader.run.scene.loop
    accelerator = the_part(reader, ACCELERATOR)
    slot = reader.run.entries(accelerator).get(field)
    every = loop.accumulation[0] if loop.accumulation else None
    if slot is not None:
        reader.state(field, slot, f"Accelerator.{field}")
    elif every is not None:
        reader.state(field, every, "step % N")
    elif accelerator is not None:
        hidden = reader.run.entries(accelerator).get(OPEN)
        plugin = reader.run.entries(accelerator).get("gradient_accumulation_plugin")
        if hidden is not None or plugin is not None:
            unknown = Unknown(accelerator.node, "set where the text does not show it")
            reader.hide(field, Slot(unknown, accelerator.node), "Accelerator.**")
        else:
            reader.default(field, Default(1, "accelerate"))
    elif not parts(reader, ENGINE):
        reader.derived(field, 1, "the optimizer steps after every backward pass that is shown")


def _passes(reader: ScriptReader) -> None:
    """`for epoch in range(N)` around the loop over the data; a lone `range(N)` counts steps."""
    loops = [
        (statement, passes)
        for statement, passes in reader.run.scene.loop.enclosing.items()
        if isinstance(statement, (ast.For, ast.AsyncFor)) and isinstance(passes, Slot)
    ]
    counted = [
        (statement, passes)
        for statement, passes in loops
        if not isinstance(passes.value, Thing) and _is_range(statement)
    ]
    if not counted:
        return
    statement, passes = counted[-1]
    named = isinstance(statement.target, ast.Name) and "epoch" in statement.target.id.lower()
    field = "num_epochs" if named or len(loops) > 1 else "max_steps"
    reader.state(field, passes, "range")


def _is_range(statement: ast.For | ast.AsyncFor) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id in ("range", "trange")
        for node in ast.walk(statement.iter)
    )


def _compiled(reader: ScriptReader) -> None:
    found = parts(reader, COMPILE)
    if found and not reader.value("torch_compile"):
        open_branch = doubtful(reader, found[0])
        slot = Slot(Known(True, found[0].node), found[0].node)
        if open_branch is not None:
            reader.hide("torch_compile", open_branch, "torch.compile")
        else:
            reader.state_value("torch_compile", True, slot, "torch.compile")


def _rest(reader: ScriptReader) -> None:
    """What follows from what the loop does not do, where the model is shown."""
    run = reader.run
    if run.model is not None and not run.scene.adapters and "finetune_method" not in reader.fields:
        reader.derived("finetune_method", "full", "no adapter is used")
    if run.model is not None and "gradient_checkpointing" not in reader.fields:
        reader.derived("gradient_checkpointing", False, "nothing turns it on")
    if "torch_compile" not in reader.fields:
        reader.derived("torch_compile", False, "nothing is compiled")
    for part in parts(reader, "attention"):
        text = f"attention kernels are restricted by {part_name(part).rpartition('.')[2]}"
        reader.notice("note", text, part.node.lineno)
    if reader.run.loop == "accelerate":
        text = "an accelerate config or launch line may set what the Accelerator leaves open"
        accelerator = parts(reader, ACCELERATOR)
        reader.notice("note", text, accelerator[0].node.lineno if accelerator else None)
