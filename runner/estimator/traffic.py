"""Counts what ranks send each other, in seconds at the links' effective speed, before overlap."""

from __future__ import annotations

from kb.catalog.parameters import Parameters
from runner.estimator.card import XGMI_PAIR, Card, read_card
from runner.estimator.job import Job

HOST_LINK = 20.0
"""GB/s between device and host memory, for offloaded weights and states (assumed: PCIe 4)."""


def trained_parameters(job: Job, counts: Parameters) -> float:
    """Weights with gradients: all, or adapters and, where asked for, embedding and head."""
    if job.adapter is None:
        return float(counts.total)
    extra = counts.embedding + counts.head if job.trained_embeddings else 0
    return float(job.adapter.parameters + extra)


def wraps_adapters(job: Job) -> bool:
    """Whether every adapter is an FSDP unit of its own: accelerate's policy for PEFT models."""
    return job.stack == "hf" and job.layout.sharding == "fsdp" and job.layout.shard_ranks > 1


def link_speed(job: Job, ranks: int) -> float:
    """Bytes per second and rank of a collective over so many ranks."""
    card = read_card(job.hardware)
    node = max(job.layout.node, card.domain if job.layout.node >= 8 else job.layout.node)
    if ranks > node:
        return 1e9 * min(card.link, card.network * node)
    if job.hardware.link == "xgmi" and ranks < 8:
        return 1e9 * min(card.link, XGMI_PAIR * max(1, ranks - 1))
    return 1e9 * card.link


def gather_seconds(job: Job, card: Card, counts: Parameters) -> tuple[float, float]:
    """Weights gathered twice and gradients scattered once; and whether ZeRO-3 does it."""
    layout = job.layout
    ranks = layout.shard_ranks
    if layout.sharding not in ("fsdp", "zero3"):
        return 0.0, 0.0
    zero3 = float(layout.sharding == "zero3")
    if ranks == 1 and not job.offloaded_weights:
        return 0.0, 0.0
    per_weight = 2.0
    if job.base != "plain":
        per_weight = 0.55
    elif job.trained and job.precision == "fp32":
        per_weight = 4.0
    volume = 2 * per_weight * counts.total + (
        job.gradient_bytes * counts.total if job.trained else 0
    )
    split = layout.pipeline * layout.tensor * (layout.expert if job.model.experts else 1)
    seconds = volume / split * (ranks - 1) / ranks / link_speed(job, ranks)
    if job.offloaded_weights:  # each rank copies its shard in, forward and backward
        seconds += 2 * per_weight * counts.total / split / ranks / (1e9 * HOST_LINK)
    return seconds, zero3


def reduce_seconds(job: Job, card: Card, counts: Parameters) -> tuple[float, float]:
    """Gradient all-reduce per optimizer step; DeepSpeed's gradient copies per micro-step."""
    layout = job.layout
    trained = trained_parameters(job, counts)
    copies = 34 * trained / (1e12 * card.bandwidth) if layout.sharding.startswith("zero") else 0.0
    if layout.replicas == 1 or layout.sharding in ("fsdp", "zero3"):
        return 0.0, copies
    ranks = layout.replicas
    volume = 2 * job.gradient_bytes * trained / (layout.pipeline * layout.tensor)
    return volume * (ranks - 1) / ranks / link_speed(job, layout.gpus), copies


def tensor_seconds(job: Job, card: Card) -> float:
    """All-reduces of tensor parallelism, and key-value exchange of context parallelism."""
    layout, model = job.layout, job.model
    layers = model.layers / layout.pipeline
    seconds = 0.0
    if layout.tensor > 1:
        ring = 8 * (layout.tensor - 1) / layout.tensor
        volume = ring * job.micro_tokens * model.hidden * 2 * layers * (1 + job.checkpointing / 2)
        seconds += volume / link_speed(job, layout.tensor)
    if layout.context > 1:
        keys = 2 * model.kv_heads * model.head * 2 * job.micro_tokens * (layout.context - 1)
        seconds += 3 * keys * layers / link_speed(job, layout.context)
    return seconds


def expert_seconds(job: Job, card: Card) -> tuple[float, float]:
    """All-to-all of expert parallelism inside and between nodes."""
    layout, model = job.layout, job.model
    if layout.expert == 1 or not model.experts:
        return 0.0, 0.0
    volume = 4 * job.micro_tokens * model.top * model.hidden * 2
    volume *= (model.layers - model.dense) / layout.pipeline * (layout.expert - 1) / layout.expert
    if layout.expert > max(layout.node, card.domain if layout.node >= 8 else layout.node):
        return 0.0, volume / (1e9 * card.network)
    return volume / (1e9 * card.link), 0.0
