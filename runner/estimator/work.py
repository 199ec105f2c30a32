"""Reduces a Job to numbers: what one rank must compute, move and send, at nominal rates.

Everything that branches is here; what is left to `throughput` is plain arithmetic with fitted
coefficients, which therefore runs on numbers and, in the calibration, on columns of numbers.
Seconds are at the card's nominal rates (`Card`); the coefficients turn them into real ones.
"""

from __future__ import annotations

from typing import NamedTuple

from kb.catalog.parameters import Parameters, count_parameters
from runner.estimator.card import Card, read_card
from runner.estimator.columns import at_least
from runner.estimator.flops import attended, attention_width
from runner.estimator.job import Job
from runner.estimator.traffic import (
    HOST_LINK,
    expert_seconds,
    gather_seconds,
    reduce_seconds,
    tensor_seconds,
    trained_parameters,
    wraps_adapters,
)

REFERENCE_GEMM = 262.0
"""TFLOP/s of the A100, for which the saturation lengths are written."""
DEQUANTIZE_BYTES = {"plain": 0.0, "nf4": 8.5, "nf4-double": 9.0, "int8": 6.0, "gptq": 10.5}
"""Traffic per quantized weight and pass, bytes: read packed, write and read bf16, with scales."""


class Work(NamedTuple):
    """One rank's work. Times in seconds at nominal rates, per micro-step unless said otherwise."""

    dense: float
    """Matrix products of body weights that every token meets."""
    experts: float
    head: float
    attention_forward: float
    attention_backward: float
    tokens: float
    """Rows of the matrix products, scaled by card speed (T x 262 / rate)."""
    expert_tokens: float
    width: float
    """Hidden size per tensor rank."""
    reach: float
    """Tokens that attention looks back at."""
    elementwise: float
    eager: float
    loss: float
    dequantize: float
    layers: float
    """Launch units: blocks x passes."""
    adapter_layers: float
    sharded_adapters: float
    """Adapted modules x passes whose FSDP units are gathered one by one."""
    expert_launches: float
    """Experts x layers x passes where a loop in Python runs them."""
    routed_layers: float
    fused: float
    compiled: float
    kbit: float
    """Flags, 0 or 1."""
    chunked: float
    gather: float
    """FSDP or ZeRO-3 traffic."""
    zero3: float
    tensor: float
    overlapped: float
    expert_near: float
    expert_far: float
    deep_ep: float
    reduce: float
    """Gradient all-reduce, per optimizer step."""
    deepspeed: float
    """DeepSpeed's handling of gradients, per micro-step."""
    optimizer: float
    host: float
    """Per optimizer step over the host link."""
    accumulation: float
    bubble: float
    """Idle share of a pipeline."""


def measure_work(job: Job) -> Work:
    """The work of one rank."""
    card = read_card(job.hardware)
    counts = count_parameters(job.model)
    layout = job.layout
    tokens = job.micro_tokens
    rate = 1e12 * card.gemm * _relative_rate(job, card)
    split = layout.pipeline * layout.tensor
    passes = 4 + 2 * job.trained + 2 * job.checkpointing + 2 * job.extra_forward
    routed = _routed(job)
    dense = max(0.0, counts.active - routed)
    share = tokens / split
    head = float(job.model.vocab * job.model.hidden)
    head_passes = (6 if job.trained or job.trained_embeddings else 4) + 2 * job.extra_forward
    near, far = expert_seconds(job, card)
    gather, zero3 = gather_seconds(job, card, counts)
    reduce, deepspeed = reduce_seconds(job, card, counts)
    forward, backward = _attention(job, card)
    moved, eager = _elementwise(job)
    memory = 1e12 * card.bandwidth
    optimizer, host = _optimizer(job, counts, memory)
    launches = job.model.layers / layout.pipeline
    launches *= (3 + job.checkpointing + job.extra_forward) / 3
    return Work(
        dense=passes * dense * share / rate,
        experts=passes * routed * share * job.capacity / rate,
        head=head_passes
        * head
        * tokens
        / layout.tensor
        / (1e12 * card.gemm * _head_rate(job, card)),
        attention_forward=forward,
        attention_backward=backward,
        tokens=tokens * REFERENCE_GEMM / card.gemm,
        expert_tokens=_expert_tokens(job, tokens) * REFERENCE_GEMM / card.gemm,
        width=job.model.hidden / layout.tensor,
        reach=at_least(attended(job.model, job.covered / layout.context), 1.0),
        elementwise=moved / memory,
        eager=eager / memory,
        loss=job.model.vocab * tokens / layout.tensor / memory,
        dequantize=DEQUANTIZE_BYTES[job.base]
        * counts.body
        / split
        * (2 + job.checkpointing)
        / memory,
        layers=launches,
        adapter_layers=_adapter_launches(job) * launches,
        sharded_adapters=_adapter_launches(job) * launches * wraps_adapters(job),
        expert_launches=0.0 if job.fast_experts else job.model.experts * launches,
        routed_layers=launches if job.model.experts else 0.0,
        fused=float(job.fused_kernels),
        compiled=float(job.compiled),
        kbit=float(job.kbit_prepared and not job.fused_kernels),
        chunked=float(job.chunked_loss),
        gather=gather,
        zero3=zero3,
        tensor=tensor_seconds(job, card),
        overlapped=float(layout.overlapped_tensor),
        expert_near=near,
        expert_far=far,
        deep_ep=float(job.deep_ep),
        reduce=reduce,
        deepspeed=deepspeed,
        optimizer=optimizer,
        host=host,
        accumulation=job.accumulation,
        bubble=(layout.pipeline - 1) / at_least(job.accumulation * layout.virtual, 1.0),
    )


def _relative_rate(job: Job, card: Card) -> float:
    """Nominal matrix rate of the job's precision, relative to the card's bf16 rate."""
    match job.precision:
        case "fp32":
            return card.fp32
        case "tf32":
            return card.tf32
        case "fp16":
            return card.fp16
        case "fp8" | "fp8_rowwise" | "mxfp8":
            return card.fp8
        case "nvfp4":
            return 2 * card.fp8
    return 1.0 if job.hardware.bf16 else card.fp32


def _head_rate(job: Job, card: Card) -> float:
    """The head stays in 16 bits where the body runs in 8 or 4."""
    return min(1.0, _relative_rate(job, card))


def _routed(job: Job) -> float:
    """Weights of routed experts that a token meets."""
    model = job.model
    if not model.experts:
        return 0.0
    matrices = 3 if model.gated else 2
    return float(model.top * matrices * model.hidden * model.expert * (model.layers - model.dense))


def _expert_tokens(job: Job, tokens: float) -> float:
    """Rows that one expert sees."""
    if not job.model.experts:
        return tokens
    rows: float = at_least(tokens * job.model.top * job.layout.expert / job.model.experts, 1.0)
    return rows


def _attention(job: Job, card: Card) -> tuple[float, float]:
    """Forward (with recomputation) and backward seconds of scores and values."""
    model, layout = job.model, job.layout
    reach = attended(model, job.covered) * (1 if model.causal else 2)
    once = 2 * reach * attention_width(model) * model.layers / layout.pipeline
    rate = 1e12 * card.gemm * _head_rate(job, card)
    if job.eager_attention and model.causal:
        once *= 2  # eager kernels do not skip the masked half
    seconds = once * job.micro_tokens / layout.tensor / rate
    return seconds * (1 + job.checkpointing + job.extra_forward), seconds * 2.5


def _elementwise(job: Job) -> tuple[float, float]:
    """Bytes of norms, rotary, activations and residuals; and of eager attention's score matrix."""
    model, layout = job.model, job.layout
    width = 4 if job.precision == "fp32" else 2
    passes = 3 + job.checkpointing + job.extra_forward
    mlp: float = model.mlp
    if model.experts:
        mlp = model.top * model.expert * job.capacity + model.shared
    projections = (model.heads + 2 * model.kv_heads) * model.head
    values = 12 * model.hidden + (4 * projections + (6 if model.gated else 4) * mlp) / layout.tensor
    layers = model.layers / layout.pipeline
    moved = width * values * job.micro_tokens * layers * passes
    if not job.eager_attention:
        return moved, 0.0
    scores = job.micro_tokens * job.length * model.heads * layers / layout.tensor
    return moved, 8 * width * scores * (2.5 + job.checkpointing)


def _adapter_launches(job: Job) -> float:
    if job.adapter is None:
        return 0.0
    return job.adapter.modules * (2.5 if job.adapter.variant == "dora" else 1.0)


def _optimizer(job: Job, counts: Parameters, memory: float) -> tuple[float, float]:
    """Memory traffic of the optimizer step; and of states in host memory."""
    layout, rule = job.layout, job.optimizer
    shards = layout.replicas if layout.sharding.startswith("zero") else layout.shard_ranks
    count = trained_parameters(job, counts) / shards / (layout.pipeline * layout.tensor)
    if job.model.experts and layout.expert > 1:
        count /= min(layout.expert, 8)
    moved = 2 * (job.weight_bytes + job.master_bytes) + job.gradient_bytes + 2 * rule.state_bytes
    if rule.offloaded:
        return 0.0, count * (job.gradient_bytes + 2 + moved / 4) / (1e9 * HOST_LINK)
    return count * moved * (2 if rule.temporary else 1) / memory, 0.0
