"""Turns a Job into the bytes that one device must hold at once, before fitted corrections.

As in `work`, everything that branches is here; `memory` adds the parts with plain arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

from kb.catalog.parameters import Parameters, count_parameters
from runner.estimator.activations import layer_bytes, score_bytes
from runner.estimator.columns import at_most, where_above
from runner.estimator.job import Job
from runner.estimator.traffic import trained_parameters

QUANTIZED_BYTES = {"plain": 2.0, "nf4": 0.5625, "nf4-double": 0.5159, "int8": 1.03, "gptq": 0.5195}
"""Bytes per body weight: 4 bits and an fp32 scale per 64 (nf4; 8-bit scales when double), or a
16-bit scale and a 4-bit zero per 128 (gptq)."""
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
    returned: float
    """Gradients of block inputs that FSDP holds for blocks without trained weights of their own:
    its hook waits for all of them (torch's `register_multi_grad_hook`)."""
    block: float
    """Activations of one layer while it is recomputed."""
    scores: float
    """Eager attention's matrices: part of the layers above, kept apart."""
    kept_scores: float
    logits: float
    """Elements of the logits, 1e9."""
    last: float
    """Elements of the last hidden state, 1e9: final norm and the head's input."""
    varied: float
    """Flag: lengths differ from batch to batch."""
    reserved: float
    """Flag: the meter counts what the allocator keeps, not what tensors hold."""
    summed: float
    """Whole gradients that FSDP keeps between micro-batches (`no_sync`)."""
    gathered: float
    """One unsharded block under FSDP or ZeRO-3."""
    root: float
    """Embedding and head gathered at once."""
    buckets: float
    """DDP's or DeepSpeed's gradient buckets, one copy of the gradients."""
    loaded: float
    """A whole copy of the weights beside the shards, before training starts."""
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
    layer = layer_bytes(job, width) * tokens
    scores = score_bytes(job, width) * tokens
    inputs = layers * job.checkpointing * tokens * model.hidden * width / layout.tensor
    wide = job.kbit_prepared and shards == 1
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
        returned=inputs / GB
        if job.adapter and gathers and layout.sharding == "fsdp" and job.stack == "hf"
        else 0.0,
        block=layer / GB,
        scores=scores / GB,
        kept_scores=layers * kept_share * scores / GB,
        logits=tokens * model.vocab / layout.tensor * (width / 2) / GB,
        last=tokens * model.hidden / layout.tensor * (width / 2) / GB,
        varied=where_above(job.longest, job.length),
        reserved=float(job.meter != "allocated"),
        summed=_summed(job, trained, shards) / GB,
        gathered=block / GB if gathers or job.offloaded_weights else 0.0,
        root=root / GB if gathers or job.offloaded_weights else 0.0,
        buckets=trained * job.gradient_bytes / GB
        if layout.sharding == "ddp" and layout.replicas > 1
        else 0.0,
        # LitGPT loads the whole checkpoint on every rank before it shards
        loaded=weights * shards / GB if job.stack == "litgpt" and shards > 1 else 0.0,
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
    return (frozen / split + trained * job.weight_bytes) / shards


def _summed(job: Job, trained: float, shards: float) -> float:
    """Bytes of unsharded gradients beyond the sharded ones.

    accelerate skips the reduction until the last micro-batch, and so does a pipeline over FSDP.
    """
    layout = job.layout
    if layout.sharding != "fsdp" or shards <= 1 or not job.trained:
        return 0.0
    if (job.stack != "hf" and layout.pipeline == 1) or layout.expert > 1:
        return 0.0
    whole = trained * min(job.gradient_bytes, 4) * (1 - 1 / shards)
    between: float = where_above(job.accumulation, 1) * whole
    return between


def _gathered(job: Job, counts: Parameters, width: int) -> tuple[float, float]:
    """Bytes of one gathered block and of the gathered embedding and head."""
    per_weight = QUANTIZED_BYTES[job.base] if job.base != "plain" else float(width)
    split = job.layout.tensor
    block = per_weight * counts.body / job.model.layers / split
    root = width * (counts.embedding + counts.head) / split / job.layout.pipeline
    return block, root
