"""Turns a Job into the bytes that one device must hold at once, before fitted corrections.

As in `work`, everything that branches is here; `memory` adds the parts with plain arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

from kb.catalog.parameters import Parameters, count_parameters
from runner.estimator.columns import at_most, where_above
from runner.estimator.job import Job
from runner.estimator.traffic import trained_parameters

QUANTIZED_BYTES = {"plain": 2.0, "nf4": 0.5625, "nf4-double": 0.5159, "int8": 1.03, "gptq": 0.5625}
"""Bytes per body weight: 4 bits and an fp32 scale per 64 (nf4: 8-bit scales when double)."""
SELECTIVE = 0.45
"""Share of a layer's activations that selective checkpointing keeps (assumed: the products of
matrices, without the MLP's inner values)."""
GB = 1e9


class Footprint(NamedTuple):
    """Parts in 1e9 bytes per device."""

    weights: float
    gradients: float
    casts: float
    """16-bit copies of fp32 weights under autocast, until the backward pass."""
    states: float
    temporary: float
    """Copy of all updates in a foreach step."""
    kept_gradients: float
    """1 when gradients exist while activations do (accumulation, DeepSpeed)."""
    inputs: float
    """Block inputs that checkpointing keeps."""
    fp32_inputs: float
    kept: float
    """Activations of layers that are not recomputed."""
    frozen: float
    """Flag: no weight gradients, so fewer inputs are kept."""
    fused: float
    """Flag: fused norm, rotary and MLP kernels, which keep less for the backward pass."""
    block: float
    """Activations of one layer while it is recomputed."""
    scores: float
    """Eager attention's matrices: part of the layers above, kept apart."""
    kept_scores: float
    logits: float
    """Elements of the logits, 1e9."""
    gathered: float
    """One unsharded block under FSDP or ZeRO-3."""
    root: float
    """Embedding and head gathered at once."""
    buckets: float
    """DDP's or DeepSpeed's gradient buckets, one copy of the gradients."""
    deepspeed: float
    """Trained parameters under DeepSpeed per shard, 1e9; its buffers stop growing at 1e9."""
    offloaded: float


def measure_footprint(job: Job) -> Footprint:
    """What one device holds."""
    model, layout = job.model, job.layout
    counts = count_parameters(model)
    split = layout.pipeline * layout.tensor
    trained = trained_parameters(job, counts) / split
    shards = layout.shard_ranks
    if model.experts and layout.expert > 1 and job.trained:
        shards = min(
            shards, layout.expert
        )  # experts, nearly all weights, split by expert rank only
    state_shards = layout.replicas if layout.sharding.startswith("zero") else shards
    weight_shards = shards if layout.sharding in ("fsdp", "zero3") else 1
    gradient_shards = state_shards if layout.sharding in ("zero2", "zero3", "fsdp") else 1
    if job.stack in ("megatron", "nemo-lora"):
        state_shards = layout.replicas
    rule = job.optimizer
    kept_share = 1 - job.checkpointing if job.saves == "blocks" else SELECTIVE
    in_flight = at_most(job.accumulation, layout.pipeline) if layout.pipeline > 1 else 1
    tokens = job.micro_batch * job.longest / layout.context
    layers = model.layers / layout.pipeline * in_flight
    width = 4 if job.precision == "fp32" else 2
    layer = _layer_bytes(job, width) * tokens
    scores = _score_bytes(job, width) * tokens
    inputs = layers * job.checkpointing * tokens * model.hidden * width / layout.tensor
    wide = job.fp32_checkpoints or (job.kbit_prepared and shards == 1)
    gathers = layout.sharding in ("fsdp", "zero3") and shards > 1
    block, root = _gathered(job, counts, width)
    if layout.pipeline > 1:  # a stage stays gathered between its micro-batches
        block *= model.layers / layout.pipeline
    offload = 0.0 if rule.offloaded else 1.0
    # who steps on the host sends gradients there as they come (ZeRO-Offload, arXiv 2101.06840)
    sent = rule.offloaded and layout.sharding in ("zero2", "zero3", "fsdp")
    held = 0.0 if rule.in_backward or sent else trained * job.gradient_bytes / gradient_shards
    weights = 0.0 if job.offloaded_weights else _weights(job, counts, trained, split, weight_shards)
    deepspeed = layout.sharding.startswith("zero") and job.stack != "megatron"
    return Footprint(
        weights=weights / GB,
        gradients=held / GB,
        casts=trained * job.cast_bytes / weight_shards / GB,
        states=offload * trained * rule.state_bytes / state_shards / GB,
        temporary=offload * rule.temporary * trained * job.weight_bytes / state_shards / GB,
        kept_gradients=1.0 if deepspeed else where_above(job.accumulation, 1),
        inputs=0.0 if wide else inputs / GB,
        fp32_inputs=inputs / GB if wide else 0.0,
        kept=layers * kept_share * layer / GB,
        frozen=float(job.adapter is not None),
        fused=float(job.fused_kernels),
        block=layer / GB,
        scores=scores / GB,
        kept_scores=layers * kept_share * scores / GB,
        logits=tokens * model.vocab / layout.tensor * (width / 2) / GB,
        gathered=block / GB if gathers or job.offloaded_weights else 0.0,
        root=root / GB if gathers or job.offloaded_weights else 0.0,
        buckets=trained * job.gradient_bytes / GB
        if layout.sharding == "ddp" and layout.replicas > 1
        else 0.0,
        deepspeed=min(1.0, trained / state_shards / GB) if deepspeed else 0.0,
        offloaded=float(job.offloaded_activations),
    )


def _weights(job: Job, counts: Parameters, trained: float, split: int, shards: int) -> float:
    """Bytes of all weights on one device."""
    if job.adapter is None:
        return trained * (job.weight_bytes + job.master_bytes) / shards
    rest = counts.total - counts.body
    plain = job.frozen_bytes
    if job.base == "plain":
        frozen = plain * counts.total
    else:
        frozen = QUANTIZED_BYTES[job.base] * counts.body + rest * (
            4 if job.kbit_prepared else plain
        )
    held = (frozen / split + trained * job.weight_bytes) / shards
    # LitGPT loads the whole checkpoint on every rank before it shards
    return held + (frozen / split if job.stack == "litgpt" and shards > 1 else 0.0)


def _layer_bytes(job: Job, width: int) -> float:
    """Activations of one layer per token: inputs of the matrices, norms, gate and up."""
    model = job.model
    mlp: float = model.mlp
    if model.experts:
        mlp = model.top * model.expert * job.capacity + model.shared
    matrices = 3 if model.gated else 2
    projections = (model.heads + 2 * model.kv_heads) * model.head
    values = 8 * model.hidden + (2 * projections + (2 + 0.67 * matrices) * mlp) / job.layout.tensor
    return width * values


def _score_bytes(job: Job, width: int) -> float:
    """Eager attention keeps scores, probabilities and a mask per head: 12 bytes each in bf16."""
    if not job.eager_attention:
        return 0.0
    return 6 * width * job.model.heads * job.longest / job.layout.tensor


def _gathered(job: Job, counts: Parameters, width: int) -> tuple[float, float]:
    """Bytes of one gathered block and of the gathered embedding and head."""
    per_weight = QUANTIZED_BYTES[job.base] if job.base != "plain" else float(width)
    split = job.layout.tensor
    block = per_weight * counts.body / job.model.layers / split
    root = width * (counts.embedding + counts.head) / split / job.layout.pipeline
    return block, root
