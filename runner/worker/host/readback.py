"""Reads an arm's settings back from its built objects and from one step that was watched.

Each row says what the recipe wants, what was seen, and where. An edit whose row does not agree did
not take effect, whatever the timings say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from audit.records.measured import ReadBack
from runner.worker.host.arm import ArmRun
from runner.worker.host.observe import Seen

ATTENTION_OPERATORS = {
    "sdpa": ("scaled_dot_product",),
    "eager": ("softmax",),
    "flash_attention_2": ("flash_attn", "_flash_attention"),
}
"""Parts of operator names by which an implementation is known while it runs."""
_AUTOCAST = {"bf16": "bfloat16", "fp16": "float16"}
_WIDTH = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def read_back(run: ArmRun, seen: Seen | None) -> tuple[ReadBack, ...]:
    """Every knob that can be read; `seen` is None where no step could be watched."""
    rows = [
        *_batch(run, seen),
        *_precision(run, seen),
        *_kernels(run, seen),
        *_optimizer(run, seen),
    ]
    rows += [*_checkpointing(run, seen), *_adapters(run), *_loader(run), *_ranks(run)]
    rows += [_row(f"env:{name}", value, os.environ.get(name), "os.environ of the arm's process")
             for name, value in run.recipe.env.items()]  # fmt: skip
    return tuple(rows)


def _row(
    field: str, wanted: object, found: object, how: str, *, same: bool | None = None
) -> ReadBack:
    agrees = str(wanted) == str(found) if same is None else same
    return ReadBack(field=field, wanted=str(wanted), seen=str(found), effective=agrees, how=how)


def _inner(model: nn.Module) -> Any:
    """The transformers model inside compile, data parallelism and adapters."""
    inner: Any = getattr(model, "_orig_mod", model)
    inner = getattr(inner, "module", inner)
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner


def _batch(run: ArmRun, seen: Seen | None) -> Iterator[ReadBack]:
    if seen is None or not seen.input_shapes:
        return
    recipe, shapes = run.recipe, seen.input_shapes
    rows = shapes[0][0]
    if recipe.padding == "padding_free":
        yield _row("padding_free", True, rows == 1, "one row in input_ids of every micro-batch")
    else:
        how = "rows of input_ids"
        yield _row("per_device_train_batch_size", recipe.micro_batch, rows, how)
        yield _row(
            "packing", recipe.padding == "packed", _isolated(run), "positions that start again"
        )
    calls = len(shapes)
    yield _row(
        "gradient_accumulation_steps", recipe.accumulation, calls, "forward passes of a step"
    )
    widths = {shape[1] for shape in shapes}
    full = widths == {recipe.max_length}
    wanted = recipe.padding == "max"
    varies = full if wanted else True
    yield _row(
        "pad_to_max_length", wanted, full if wanted else wanted, "width of input_ids", same=varies
    )


def _isolated(run: ArmRun) -> bool:
    batch = run.loader.dataset[0]
    return "position_ids" in batch.inputs


def _precision(run: ArmRun, seen: Seen | None) -> Iterator[ReadBack]:
    recipe = run.recipe
    wanted = _AUTOCAST.get(recipe.precision)
    if seen is not None and seen.input_shapes:
        yield _row(
            "compute_dtype", wanted or "off", seen.autocast or "off", "autocast inside the model"
        )
        if seen.product_dtypes:
            most = seen.product_dtypes.most_common(1)[0][0]
            expected = (
                wanted or {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[recipe.weights]
            )
            yield _row("compute_dtype", expected, most, "dtype of most matrix products")
    set_to = torch.get_float32_matmul_precision()
    yield _row("tf32", recipe.precision == "tf32", set_to == "high", "float32 matmul precision")
    loaded = next(iter(_inner(run.model).parameters())).dtype
    name = _WIDTH.get(str(loaded).removeprefix("torch."), str(loaded))
    yield _row("model_load_dtype", recipe.weights, name, "dtype of the first weight")


def _kernels(run: ArmRun, seen: Seen | None) -> Iterator[ReadBack]:
    recipe = run.recipe
    named = getattr(_inner(run.model).config, "_attn_implementation", None)
    yield _row("attn_implementation", recipe.attention, named, "the built model's configuration")
    known = ATTENTION_OPERATORS.get(recipe.attention)
    if known and seen is not None and seen.operators:
        ran = sorted(name for name in seen.operators if any(part in name for part in known))
        how = "operators of the watched step"
        yield _row(
            "attn_implementation",
            recipe.attention,
            ", ".join(ran) or "none of its operators",
            how,
            same=bool(ran),
        )
    if recipe.compiled:
        graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        yield _row("torch_compile", True, f"{graphs} graphs", "dynamo's counters", same=graphs > 0)
    else:
        yield _row("torch_compile", False, hasattr(run.model, "_orig_mod"), "class of the model")
    liger = any(
        "liger" in type(part).__module__.lower()
        or "liger" in getattr(part.forward, "__module__", "").lower()
        for part in run.model.modules()
    )
    yield _row("liger", recipe.liger, liger, "classes and forward functions of the modules")


def _optimizer(run: ArmRun, seen: Seen | None) -> Iterator[ReadBack]:
    name, optimizer = run.recipe.optimizer, run.optimizer
    kind = type(optimizer).__name__
    fused = bool(optimizer.defaults.get("fused"))
    told = f"{kind}, fused" if fused else kind
    if name == "adamw_torch_fused" and seen is not None and seen.operators:
        fused = fused and any("fused_adamw" in one for one in seen.operators)
        told += f", {'ran' if fused else 'did not run'} fused"
    expected = {
        "adamw_torch": "AdamW",
        "adamw_torch_fused": "AdamW",
        "sgd": "SGD",
        "adafactor": "Adafactor",
    }
    right = expected.get(name, kind) == kind and (name != "adamw_torch_fused" or fused)
    yield _row("optimizer", name, told, "class and operators of the optimizer", same=right)


def _checkpointing(run: ArmRun, seen: Seen | None) -> Iterator[ReadBack]:
    wanted = run.recipe.checkpointing != "off"
    inner = _inner(run.model)
    newer = hasattr(type(inner), "is_activation_checkpointing")  # transformers 5.24 renamed it
    flag = bool(inner.is_activation_checkpointing if newer else inner.is_gradient_checkpointing)
    if seen is not None and seen.input_shapes:
        times = seen.layer_calls / len(seen.input_shapes)
        how = "calls inside the first layer per micro-batch"
        yield _row(
            "gradient_checkpointing", wanted, f"{times:g} calls", how, same=(times > 1.5) == wanted
        )
    else:
        yield _row("gradient_checkpointing", wanted, flag, "flag of the built model")
    if wanted:
        kept = [
            getattr(part, "_gradient_checkpointing_func", None)
            for part in _inner(run.model).modules()
        ]
        words: dict[str, Any] = next(
            (one.keywords for one in kept if one is not None and hasattr(one, "keywords")), {}
        )
        reentrant = run.recipe.checkpointing == "reentrant"
        yield _row(
            "gradient_checkpointing_reentrant",
            reentrant,
            words.get("use_reentrant"),
            "the model's checkpoint function",
        )


def _adapters(run: ArmRun) -> Iterator[ReadBack]:
    lora = run.recipe.lora
    pairs = [(name, weight) for name, weight in run.model.named_parameters() if "lora_A" in name]
    method = "lora" if pairs else "full"
    yield _row(
        "finetune_method", "lora" if lora else "full", method, "names of the trained weights"
    )
    if lora and pairs:
        yield _row("lora_r", lora.rank, pairs[0][1].shape[0], "shape of the first adapter")


def _loader(run: ArmRun) -> Iterator[ReadBack]:
    recipe, loader = run.recipe.loader, run.loader
    how = "the built DataLoader"
    yield _row("dataloader_num_workers", recipe.workers, loader.num_workers, how)
    if run.device.gpu:
        yield _row("dataloader_pin_memory", recipe.pin_memory, loader.pin_memory, how)
    if recipe.workers:
        yield _row("dataloader_prefetch_factor", recipe.prefetch or 2, loader.prefetch_factor, how)


def _ranks(run: ArmRun) -> Iterator[ReadBack]:
    if run.ranks.count == 1:
        return
    model = getattr(run.model, "_orig_mod", run.model)
    kind = "ddp" if hasattr(model, "no_sync") else "none"
    if hasattr(model, "set_requires_gradient_sync"):
        kind = "fsdp"
    yield _row("fsdp", run.recipe.sharding, kind, "class that wraps the model")
