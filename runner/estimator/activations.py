"""Counts what one transformer layer keeps for its backward pass, tensor by tensor.

Autograd keeps the inputs of every product whose weight is trained, of every norm and of every
activation function; frozen weights need none. Says nothing about when the tensors exist: `memory`
adds the moments up.
"""

from __future__ import annotations

from runner.estimator.job import Job


def layer_bytes(job: Job, width: int) -> float:
    """Bytes per token that one layer keeps, on one tensor rank (sequence parallel norms)."""
    values = _norms(job, width) + _attention(job, width) + _mlp(job, width) + _adapters(job, width)
    return values / job.layout.tensor


def score_bytes(job: Job, width: int) -> float:
    """Eager attention per token: the softmax in fp32, its 16-bit copy, the mask of the dropout."""
    if not job.eager_attention:
        return 0.0
    return (4 + width + 1) * job.model.heads * job.longest / job.layout.tensor


def _norms(job: Job, width: int) -> float:
    """Two norms. RMSNorm written out in torch keeps its input in fp32 and the scaled copy."""
    written_out = job.model.gated and not job.fused_kernels and not job.compiled
    each = (4 + width if written_out else width) * job.model.hidden
    return 2.0 * each


def _attention(job: Job, width: int) -> float:
    """Queries, keys, values and the output; the input of the projections where it is needed."""
    model = job.model
    values = (2 * model.heads + 2 * model.kv_heads) * model.head
    return float(width * (values + _needs_inputs(job) * model.hidden))


def _mlp(job: Job, width: int) -> float:
    """Gate, activated gate and up (fused kernels: gate and up), or the one inner product."""
    model = job.model
    inner: float = model.mlp
    if model.experts:
        inner = model.top * model.expert * job.capacity + model.shared
    copies = 1.0
    if model.gated:
        copies = 2.0 if job.fused_kernels else 3.0
    needed = _needs_inputs(job)
    return width * ((copies + needed) * inner + needed * model.hidden)


def _adapters(job: Job, width: int) -> float:
    """Inputs of the adapted modules: fp32 adapters make a cast copy each, 16-bit ones share theirs.

    FSDP's mixed precision runs adapters in 16 bits.
    """
    if job.adapter is None:
        return 0.0
    shared = job.layout.sharding == "fsdp" and job.layout.gpus > 1
    if job.weight_bytes > width and not shared:
        return float(width * job.adapter.inputs)
    return float(0 if job.keeps_inputs else width * job.model.hidden)


def _needs_inputs(job: Job) -> float:
    """1 where the products of matrices keep their inputs."""
    return float(job.trained or job.keeps_inputs)
