"""Makes a Job of a row of a published table, whatever the table's spelling.

Used to answer points and to calibrate; a user's file goes through `from_workload`. A row that does
not say what it ran gives a reason instead of a Job.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kb.catalog.hardware import Hardware
from kb.catalog.models import Model
from kb.catalog.parameters import count_parameters
from runner.estimator.job import Job, Layout, Meter, Stack
from runner.estimator.lengths import (
    ASSUMED,
    Padding,
    exact,
    fit_spread,
    pad_spread,
    spread_of_moments,
)
from runner.estimator.published_layout import Row, Split, read_split
from runner.estimator.published_names import read_hardware, read_model, read_stack
from runner.estimator.published_recipe import (
    CHUNKED,
    COMPILED,
    OFFLOADED,
    Weights,
    is_fms,
    read_adapter,
    read_base,
    read_checkpointing,
    read_optimizer,
    read_precision,
    read_weights,
    tune_stage,
    words,
)

_DATA_SETS = (
    # mean and standard deviation of tokens per sample, as the data sets are (Llama tokenizer)
    (r"alpaca", 110.0, 80.0),
    (r"guanaco|r=8|full ft on|32-bit", 400.0, 350.0),
    (r"max_seq_length is a cap, mean length much shorter|metamath", 341.0, 130.0),
)
_LONGEST, _LONGEST_PACKED = 4.0, 1.9
"""Longest batch over the mean length for rows that state a mean only: padded to the longest sample,
or samples laid end to end, where the batch averages (assumed)."""
_MANY = 3.0
"""How much longer the longest of many micro-batches is where they are accumulated (assumed)."""


_KEEPS_LOGITS = re.compile(r"qwen[-_ /]*\d+([._]\d+)?b|bigcode|santacoder|starcoder", re.I)
"""Models whose own code computes the loss in the dtype of the logits."""
_OWN_ATTENTION = re.compile(r"chatglm|baichuan2-13b", re.I)
"""Models whose own code has no fused attention."""


class Reading(NamedTuple):
    """A row understood, or the reason why not."""

    job: Job | None
    reason: str = ""
    variable: bool = False
    """Whether lengths vary: the row's tokens are then not exactly known."""


def read_row(row: Row) -> Reading:
    """The Job of one published row."""
    hardware = read_hardware(row.get("hardware"))
    if hardware is None:
        return Reading(None, "hardware not stated")
    model = read_model(row.get("model"))
    if model is None:
        return Reading(None, "model not stated or not a plain transformer")
    if row.get("method") not in ("full", "lora", "qlora", "pretrain"):
        return Reading(None, "method not stated")
    stack = read_stack(row.get("framework"), row.get("source_title"), hardware)
    split = read_split(row, stack, hardware)
    if row.get("micro_batch") is None and not row.get("global_batch"):
        return Reading(None, "batch not stated")
    found = _length(row, stack, split)
    if found is None:
        return Reading(None, "sequence length not stated")
    padding, variable = found
    return Reading(_job(row, stack, hardware, model, split, padding), variable=variable)


def _job(
    row: Row, stack: Stack, hardware: Hardware, model: Model, split: Split, padding: Padding
) -> Job:
    precision = read_precision(row, stack)
    adapter = read_adapter(row, stack, model)
    size = count_parameters(model).total / split.layout.gpus / 1e9
    weights = read_weights(row, stack, precision, size if model.experts else None)
    share, blocks = read_checkpointing(row, stack, hardware)
    base = read_base(row)
    text = words(row)
    foak = "foak" in text or stack in (
        "torchtitan",
        "megatron",
        "automodel",
        "nemo-lora",
        "rocm-lora",
    )
    layout = split.layout
    return Job(
        model=model,
        hardware=hardware,
        layout=layout,
        micro_batch=split.micro_batch,
        accumulation=split.accumulation,
        length=padding.processed,
        longest=padding.longest,
        real=padding.efficiency,
        precision=precision,
        weight_bytes=weights.weight,
        master_bytes=weights.master,
        cast_bytes=weights.cast,
        gradient_bytes=weights.gradient,
        adapter=adapter,
        trained_embeddings="(emb)" in text,
        base=base,
        keeps_inputs=base.startswith("nf4") and "" < str(row.get("date") or "") < "2024",
        kbit_prepared=base != "plain"
        and layout.gpus == 1
        and ("baseline-peft" in text or stack == "ms-swift"),
        frozen_bytes=4 if precision == "fp32" else 2,
        optimizer=read_optimizer(row, stack, weights),
        checkpointing=share,
        saves="blocks" if blocks else "matmuls",
        offloaded_activations=tune_stage(text) >= OFFLOADED,
        eager_attention=_eager(row, model, text),
        packed=bool(row.get("packing")) or "padding-free" in text,
        fused_kernels=foak,
        chunked_loss="liger" in (row.get("framework") or "") or _chunked(stack, text),
        half_loss=_half_loss(row, stack, weights, layout, trained=adapter is None),
        # torchtitan compiles its loss since 2025; before, the logits were upcast as a whole
        eager_loss=stack == "torchtitan" and str(row.get("date") or "") < "2025",
        compiled=_compiled(text),
        fast_experts=not (is_fms(row) and "scattermoe" not in text),
        capacity=_capacity(text),
        deep_ep="deepep" in text,
        stack=stack,
        meter=_meter(row, stack),
    )


def _length(row: Row, stack: Stack, split: Split) -> tuple[Padding, bool] | None:
    """Tokens per sample, and whether they vary."""
    notes, text = row.get("notes") or "", words(row)
    stated = row.get("seq_len")
    each = re.search(r"= (\d+) tokens per sample", notes)
    if stated is None and each:
        mean = float(each.group(1))
        if abs(mean - 4096) < 5:
            return exact(mean), False
        times = _LONGEST_PACKED if "padding-free" in text else _LONGEST
        times *= _MANY if split.accumulation > 1 else 1.0
        return Padding(mean, mean, mean * times, mean * mean), True
    moments = re.search(r"tokens/sample ([\d.]+)\+-([\d.]+)", notes)
    if moments and stated:
        spread = spread_of_moments(float(moments.group(1)), float(moments.group(2)))
        return pad_spread(spread, int(split.micro_batch), float(stated), drop=True), True
    for pattern, mean, deviation in _DATA_SETS:
        if re.search(pattern, text) and (stated is None or "cap" in text):
            most = re.search(r"longest example (\d+)", text)
            cut = float(most.group(1)) if most else float(stated or 2048)
            spread = spread_of_moments(mean, deviation)
            return pad_spread(spread, int(split.micro_batch), cut), True
    if stated is None:
        usual = {"torchtitan": 8192.0, "llm-foundry": 2048.0}.get(stack)
        return (exact(usual), False) if usual else None
    length = float(stated)
    if row.get("packing") is False and "dummy" not in text:
        spread = fit_spread(ASSUMED)
        return pad_spread(spread, int(split.micro_batch), length), True
    return exact(length), False


def _eager(row: Row, model: Model, text: str) -> bool:
    if "eager/none" in (row.get("attention") or "") or _OWN_ATTENTION.search(model.name):
        return True
    return "2022-01" in str(row.get("date") or "") and "flash" not in text


def _half_loss(row: Row, stack: Stack, weights: Weights, layout: Layout, *, trained: bool) -> bool:
    """DeepSpeed's fp16 and ZeRO-3 engines, and plain bf16 weights, run without autocast."""
    if not _KEEPS_LOGITS.search(str(row.get("model"))):
        return False
    if stack == "deepspeed":
        return layout.sharding == "zero3" or "fp16" in str(row.get("precision"))
    return trained and weights.weight == 2 and stack == "hf"


def _chunked(stack: Stack, text: str) -> bool:
    """The default loss of torchtune is chunked; its table of steps adds that later."""
    stage = tune_stage(text)
    return stage >= CHUNKED or (stack == "torchtune" and stage < 0)


def _compiled(text: str) -> bool:
    stage = tune_stage(text)
    if stage >= 0:
        return stage >= COMPILED
    if re.search(r"compile=false|\beager\b", text):
        return False
    return bool(re.search(r"compile|reduce-overhead|max-autotune|thunder|maxtext", text))


def _capacity(text: str) -> float:
    found = re.search(r"dense-cf([\d.]+)", text)
    return float(found.group(1)) if found else 1.0


def _meter(row: Row, stack: Stack) -> Meter:
    notes = (row.get("notes") or "").lower()
    if "nvidia-smi mb" in notes or "rocm-smi" in notes or stack == "deepspeed":
        return "device"
    if "max reserved" in notes or stack in ("ms-swift", "torchtitan"):
        return "reserved"
    return "allocated"
