"""Reads how a published run trained: precision, base, adapters, optimizer, recomputation."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from kb.catalog.hardware import Hardware
from kb.catalog.models import Model
from runner.estimator.adapters import count_adapters
from runner.estimator.job import Adapter, Base, Optimizer, Precision, Stack
from runner.estimator.published_layout import Row

_TARGETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "hf": (16, ("q", "v")),
    "fms": (16, ("q", "k", "v", "o")),
    "deepspeed": (64, ("qkv", "o", "gate", "up")),
    "ms-swift": (8, ("qkv",)),
    "litgpt": (8, ("q", "v")),
    "torchtune": (8, ("q", "v", "o")),
    "megatron": (16, ("q", "k", "v", "o", "gate", "up", "down")),
    "automodel": (8, ("q", "k", "v", "o", "gate", "up", "down")),
    "nemo-lora": (16, ("qkv", "o")),
    "rocm-lora": (16, ("qkv", "o")),
}
"""Rank and modules that the stack's own recipe adapts where a row does not say."""


LARGEST_WIDE = 4.0
"""Mixtures of the fms table were trained in fp32 where 16 bytes per weight fit 80 GB (inferred:
51.9 GB of 3.3e9 weights on one card are 16 bytes each, so the step copies nothing)."""


class Weights(NamedTuple):
    """Bytes per trained weight."""

    weight: float
    master: float
    gradient: float
    state: float
    temporary: bool
    cast: float = 0


def words(row: Row) -> str:
    """Everything a row says in prose, lower case."""
    parts = ("framework", "precision", "attention", "parallelism", "optimizer", "other", "notes")
    return " ".join(str(row.get(part) or "") for part in parts).lower()


_TUNE_STAGES = (
    "baseline", "+ packed", "+ compile", "+ chunked", "+ activation checkpointing",
    "+ fuse optimizer", "+ activation offloading", "+ 8-bit", "lora", "qlora",
)  # fmt: skip
"""torchtune's table adds one technique per row; its adapter rows drop the optimizer's ones."""
COMPILED, CHUNKED, CHECKPOINTED, FUSED_STEP, OFFLOADED, EIGHT_BIT, ADAPTED = 2, 3, 4, 5, 6, 7, 8


def tune_stage(text: str) -> int:
    """How far a row of that table has come; -1 for every other row."""
    found = re.search(r"cumulative up to: (.+?)(?:;| memory|$)", text)
    if not found:
        return -1
    reached = found.group(1)
    return next((i for i, name in enumerate(_TUNE_STAGES) if reached.startswith(name)), -1)


def newer_accelerate(row: Row) -> bool:
    """Whether an accelerate ran that keeps trained weights and checkpoints in fp32 under FSDP."""
    return "liger.csv" in (row.get("source_url_or_repo_path") or "")


def is_fms(row: Row) -> bool:
    """Rows of IBM's fms-hf-tuning benchmarks."""
    return "fms-hf-tuning" in (row.get("framework") or "")


def read_precision(row: Row, stack: Stack) -> Precision:
    """The compute dtype; MLPerf rows that do not say ran fp8 matrix products."""
    text = (row.get("precision") or "").lower()
    if not text:
        if stack in ("nemo-lora", "rocm-lora"):
            return "fp8"
        return "fp32" if re.search(r"fp16=false, bf16=false", words(row)) else "bf16"
    for pattern, precision in _PRECISIONS:
        if re.search(pattern, text):
            return precision
    return "bf16"


_PRECISIONS: tuple[tuple[str, Precision], ...] = (
    (r"nvfp4|mxfp4", "nvfp4"),
    (r"mxfp8", "mxfp8"),
    (r"rowwise", "fp8_rowwise"),
    (r"bf16\+float8|fp8|float8", "fp8"),
    (r"bf16|bfloat16|int4 bnb", "bf16"),
    (r"fp16|float16", "fp16"),
    (r"fp32|float32", "fp32"),
)


def read_base(row: Row) -> Base:
    """How the frozen weights are held."""
    text = words(row)
    if re.search(r"autogptq|gptq", text) and row.get("method") == "qlora":
        return "gptq"
    # fms-acceleration's bnb plugin and torchao's NF4 quantize the scales too
    if re.search(r"nf4-dq", text) or (row.get("method") == "qlora" and _doubles(row, text)):
        return "nf4-double"
    if re.search(r"int8|8-bit", text) and row.get("method") == "qlora":
        return "int8"
    return "nf4" if row.get("method") == "qlora" else "plain"


def _doubles(row: Row, text: str) -> bool:
    return is_fms(row) or "torchtune" in text


def read_adapter(row: Row, stack: Stack, model: Model) -> Adapter | None:
    """The adapters, from the stated rank or count and the stack's own targets."""
    if row.get("method") not in ("lora", "qlora"):
        return None
    text = words(row)
    rank, targets = _TARGETS["fms" if is_fms(row) else stack if stack in _TARGETS else "hf"]
    stated = re.search(r"(?:lora_rank[ =]|\br=|rank)(\d+)", text)
    if stated:
        rank = int(stated.group(1))
    if "bigcode" in str(row.get("model")):
        targets = ("qkv", "o")  # one fused matrix
    if "target-mlp" in text:
        targets = ("gate", "up", "down")
    size = count_adapters(model, rank, targets)
    count = re.search(r"trainable=([\d,]+)", text)
    parameters = int(count.group(1).replace(",", "")) if count else size.parameters
    variant: Literal["lora", "dora"] = "dora" if "dora" in text else "lora"
    return Adapter(rank, parameters, size.modules, size.inputs, variant)


def read_checkpointing(row: Row, stack: Stack, hardware: Hardware) -> tuple[float, bool]:
    """Share of layers that are recomputed, and whether only block inputs are kept."""
    stated = row.get("grad_ckpt")
    text = str(stated).lower()
    stage = tune_stage(words(row))
    if stage >= 0:
        return float(stage >= CHECKPOINTED), True
    blocks = re.search(r"(\d+) blocks", text)
    if blocks:
        return int(blocks.group(1)) / 80, True
    layers = re.search(r"recompute (\d+) layers", text)
    if layers:
        return int(layers.group(1)) / 61, True
    if "selective" in text or "sac" in text:
        return 0.5, False
    if stated is not None:
        return float(text in ("true", "full", "remat_policy full")), True
    return _usual_checkpointing(row, stack, hardware), stack != "torchtitan"


def _usual_checkpointing(row: Row, stack: Stack, hardware: Hardware) -> float:
    """What the stack's recipe does where a row does not say."""
    if stack == "torchtune":
        return 1.0
    if stack == "rocm-lora":
        small = (hardware.memory_gb or 0) < 200
        return 21 / 80 if row.get("method") == "lora" and small else 0.0
    if stack in ("deepspeed", "llm-foundry") or is_fms(row):
        return 1.0
    if stack == "litgpt":
        return float((row.get("n_gpus") or 1) > 1)
    if stack == "torchtitan":
        return 0.5
    if stack == "automodel":
        return float(row.get("method") == "pretrain" and "70" in (row.get("model") or ""))
    return float(stack == "hf" and row.get("method") == "qlora")


def read_weights(row: Row, stack: Stack, precision: Precision, size: float | None) -> Weights:
    """Bytes per trained weight of the stack's recipe.

    `size`: parameters per device of a mixture of experts, 1e9; None for a dense model.
    """
    adapters = row.get("method") in ("lora", "qlora")
    gpus = row.get("n_gpus") or 1
    if stack in ("llm-foundry", "torchtitan", "maxtext"):
        pure = "mp mode pure" in words(row)
        return Weights(4, 0, 2 if pure else 4, 8, False)
    if stack in ("megatron", "automodel", "nemo-lora", "rocm-lora"):
        return Weights(2, 4, 4, 8, False)
    if precision == "fp32":
        return Weights(4, 0, 4, 8, False)
    if "amp" in (row.get("precision") or ""):
        return Weights(4, 0, 4, 8, False, cast=2)
    if stack == "deepspeed" and not (gpus == 1 and row.get("method") == "lora"):
        return Weights(2, 4, 2, 8, True)
    if stack == "deepspeed":  # one card: the recipe's script starts no engine
        return Weights(2, 0, 2, 4, True)
    if adapters:
        return (
            Weights(2, 0, 2, 4, True)
            if stack in ("litgpt", "torchtune")
            else Weights(4, 0, 4, 8, True)
        )
    if is_fms(row) and size is not None and size < LARGEST_WIDE:
        return Weights(4, 0, 4, 8, temporary=False)
    if gpus > 1 and newer_accelerate(row):
        return Weights(4, 0, 4, 8, True)
    return Weights(2, 0, 2, 4, True)


def read_optimizer(row: Row, stack: Stack, weights: Weights) -> Optimizer:
    """The optimizer's states."""
    text = words(row)
    state, temporary = weights.state, weights.temporary
    if "adafactor" in text:
        state = 0.1
    stage = tune_stage(text)
    if stage == EIGHT_BIT:
        state = 2.0
    in_backward = FUSED_STEP <= stage < ADAPTED
    if stack == "torchtune" and row.get("method") == "full":
        temporary = False
    return Optimizer(state, temporary=temporary, in_backward=in_backward)
