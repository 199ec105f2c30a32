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
from runner.worker.host.optimizer import BITSANDBYTES
from runner.worker.host.readback_batches import read_batches, read_loader
from runner.worker.host.row import row

ATTENTION_OPERATORS = {
    "sdpa": ("scaled_dot_product",),
    "eager": ("softmax",),
    "flash_attention_2": ("flash_attn", "_flash_attention"),
}
"""Parts of operator names by which an implementation is known while it runs."""
OPTIMIZERS = {
    "adamw_torch": "AdamW",
    "adamw_torch_fused": "AdamW",
    "adamw_torch_foreach": "AdamW",
    "sgd": "SGD",
    "adafactor": "Adafactor",
    **BITSANDBYTES,
}
"""Name in a file -> class."""
_AUTOCAST = {"bf16": "bfloat16", "fp16": "float16"}
_WIDTH = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def read_back(run: ArmRun, seen: Seen) -> tuple[ReadBack, ...]:
    """Every knob that can be read after one watched step."""
    rows = [
        *read_batches(run, seen),
        *_precision(run, seen),
        *_kernels(run, seen),
        *_optimizer(run, seen),
        *_checkpointing(run, seen),
        *_adapters(run),
        *read_loader(run),
        *_ranks(run),
    ]
    rows += [row(f"env:{name}", value, os.environ.get(name), "os.environ of the arm's process")
             for name, value in run.recipe.env.items()]  # fmt: skip
    return tuple(rows)


def read_after(run: ArmRun) -> tuple[ReadBack, ...]:
    """What only shows after many steps: whether compiled code went on running, what was logged."""
    every = max(1, run.recipe.logging_steps)
    logs = f"{run.logs} of {run.index} steps"
    right = run.logs == run.index // every
    rows = [row("logging_steps", every, logs, "steps that were logged", same=right)]
    if run.compiler is not None:
        ran = f"{run.compiler.graphs} graphs, run {run.compiler.calls} times"
        told = f"{ran} in {run.passes} forward passes"
        always = run.compiler.calls >= run.passes > 0
        rows.append(row("torch_compile", True, told, "the compiler's counts", same=always))
    return tuple(rows)


def _inner(model: nn.Module) -> Any:
    """The transformers model inside compile, data parallelism and adapters."""
    inner: Any = getattr(model, "_orig_mod", model)
    inner = getattr(inner, "module", inner)
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner


def _precision(run: ArmRun, seen: Seen) -> Iterator[ReadBack]:
    recipe = run.recipe
    wanted = _AUTOCAST.get(recipe.precision)
    yield row("compute_dtype", wanted or "off", seen.autocast or "off", "autocast inside the model")
    if seen.product_dtypes:
        most = seen.product_dtypes.most_common(1)[0][0]
        plain = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[recipe.weights]
        yield row("compute_dtype", wanted or plain, most, "dtype of most matrix products")
    set_to = torch.get_float32_matmul_precision()
    yield row("tf32", recipe.precision == "tf32", set_to == "high", "float32 matmul precision")
    loaded = next(iter(_inner(run.model).parameters())).dtype
    name = _WIDTH.get(str(loaded).removeprefix("torch."), str(loaded))
    yield row("model_load_dtype", recipe.weights, name, "dtype of the first weight")


def _kernels(run: ArmRun, seen: Seen) -> Iterator[ReadBack]:
    recipe = run.recipe
    named = getattr(_inner(run.model).config, "_attn_implementation", None)
    yield row("attn_implementation", recipe.attention, named, "the built model's configuration")
    known = ATTENTION_OPERATORS.get(recipe.attention)
    if known and seen.operators:
        ran = sorted(name for name in seen.operators if any(part in name for part in known))
        yield row(
            "attn_implementation",
            recipe.attention,
            ", ".join(ran) or "none of its operators",
            "operators of the watched step",
            same=bool(ran),
        )
    calls = run.compiler.calls if run.compiler else 0
    how = "calls of compiled code in the watched step"
    same = (calls >= len(seen.input_shapes)) == recipe.compiled
    yield row("torch_compile", recipe.compiled, f"{calls} calls", how, same=same)
    liger = any(
        "liger" in type(part).__module__.lower()
        or "liger" in getattr(part.forward, "__module__", "").lower()
        for part in run.model.modules()
    )
    yield row("liger", recipe.liger, liger, "classes and forward functions of the modules")


def _optimizer(run: ArmRun, seen: Seen) -> Iterator[ReadBack]:
    recipe, optimizer = run.recipe, run.optimizer
    kind = type(optimizer).__name__
    fused = bool(optimizer.defaults.get("fused"))
    told = f"{kind}, fused" if fused else kind
    if recipe.optimizer == "adamw_torch_fused" and seen.operators:
        fused = fused and any("fused_adamw" in one for one in seen.operators)
        told += f", {'ran' if fused else 'did not run'} fused"
    right = OPTIMIZERS.get(recipe.optimizer) == kind
    right = right and (recipe.optimizer != "adamw_torch_fused" or fused)
    yield row(
        "optimizer", recipe.optimizer, told, "class and operators of the optimizer", same=right
    )
    groups = optimizer.param_groups
    yield row("learning_rate", recipe.learning_rate, groups[0]["lr"], "the optimizer's groups")
    decay = max(group["weight_decay"] for group in groups)
    yield row("weight_decay", recipe.weight_decay, decay, "the optimizer's groups")
    limit = recipe.max_grad_norm or float("inf")
    yield row("max_grad_norm", limit, run.clipped_to, "limit of the step's clipping")


def _checkpointing(run: ArmRun, seen: Seen) -> Iterator[ReadBack]:
    wanted = run.recipe.checkpointing != "off"
    inner = _inner(run.model)
    newer = hasattr(type(inner), "is_activation_checkpointing")  # transformers 5.24 renamed it
    flag = bool(inner.is_activation_checkpointing if newer else inner.is_gradient_checkpointing)
    yield row("gradient_checkpointing", wanted, flag, "flag of the built model")
    if seen.layer_calls is not None:
        times = seen.layer_calls / len(seen.input_shapes)
        how = "calls inside the first layer per micro-batch"
        same = (times > 1.5) == wanted
        yield row("gradient_checkpointing", wanted, f"{times:g} calls", how, same=same)
    if wanted:
        kept = [getattr(part, "_gradient_checkpointing_func", None) for part in inner.modules()]
        words: dict[str, Any] = next(
            (one.keywords for one in kept if one is not None and hasattr(one, "keywords")), {}
        )
        yield row(
            "gradient_checkpointing_reentrant",
            run.recipe.checkpointing == "reentrant",
            words.get("use_reentrant"),
            "the model's checkpoint function",
        )


def _adapters(run: ArmRun) -> Iterator[ReadBack]:
    lora = run.recipe.lora
    pairs = [(name, weight) for name, weight in run.model.named_parameters() if "lora_A" in name]
    method = "lora" if pairs else "full"
    how = "names of the trained weights"
    yield row("finetune_method", "lora" if lora else "full", method, how)
    if lora is None or not pairs:
        return
    yield row("lora_r", lora.rank, pairs[0][1].shape[0], "shape of the first adapter")
    first: Any = next(part for part in run.model.modules() if hasattr(part, "lora_A"))
    alpha = round(first.scaling["default"] * lora.rank, 6)
    yield row("lora_alpha", float(int(lora.alpha)), float(alpha), "scale of the first adapter")
    dropout = getattr(first.lora_dropout["default"], "p", 0.0)
    yield row("lora_dropout", lora.dropout, dropout, "the first adapter")
    found = {name.split(".lora_A")[0].rsplit(".", 1)[-1] for name, _ in pairs}
    every = lora.targets == ("all-linear",)
    right = len(found) > 1 if every else found == set(lora.targets)
    wanted = ", ".join(sorted(lora.targets))
    yield row("lora_target_modules", wanted, ", ".join(sorted(found)), how, same=right)


def _ranks(run: ArmRun) -> Iterator[ReadBack]:
    if run.ranks.count == 1:
        return
    model = getattr(run.model, "_orig_mod", run.model)
    kind = "ddp" if hasattr(model, "no_sync") else "none"
    if hasattr(model, "set_requires_gradient_sync"):
        kind = "fsdp"
    for field in ("fsdp", "deepspeed_stage"):
        yield row(field, run.recipe.sharding, kind, "class that wraps the model")
    if kind == "ddp":
        found = getattr(model, "find_unused_parameters", None)
        how = "the wrapper of the model"
        yield row("ddp_find_unused_parameters", run.recipe.find_unused, found, how)
