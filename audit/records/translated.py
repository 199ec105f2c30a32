"""A training file as the worker runs it: the same settings on a model with random weights.

Pure data, made without torch by `runner.translate`. What was scaled down, and what could not be
carried over, stands in it, so that every report can say so.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit.records.base import ArmName, Json, Record

Padding = Literal["max", "longest", "grouped", "packed", "padding_free"]
"""max: to max_length. longest: to the longest of the micro-batch. grouped: the same, samples of
like length together. packed: whole samples share rows of max_length. padding_free: a micro-batch
becomes one row."""
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
Checkpointing = Literal["off", "reentrant", "non_reentrant"]
Sharding = Literal["none", "ddp", "fsdp"]


class Shape(Record):
    """Dimensions of a decoder; `family` picks the class of transformers that is built."""

    family: str
    """llama, qwen2, mistral, gemma, ..."""
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    """Dimension of one head."""
    mlp: int
    vocab: int
    tied: bool
    bias: bool = False
    """Whether query, key and value have one."""


class Lora(Record):
    """Low-rank adapters."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    """Module names; `all-linear` alone: every linear but the head."""


class Loader(Record):
    """The data loader's settings."""

    workers: int = 0
    pin_memory: bool = False
    prefetch: int | None = None
    persistent: bool = False


class Recipe(Record):
    """Everything that the worker does for one arm. Every knob is applied for real or not named."""

    micro_batch: int
    accumulation: int
    max_length: int
    """Tokens to which samples are cut, padded or packed."""
    padding: Padding
    isolated: bool = True
    """Whether samples that share a row are kept apart in attention."""
    attention: str
    """eager, sdpa, flash_attention_2, ...: `attn_implementation` of transformers."""
    precision: Precision
    weights: Literal["fp32", "bf16", "fp16"]
    """Dtype of the weights as they are loaded."""
    checkpointing: Checkpointing
    compiled: bool
    optimizer: str
    learning_rate: float
    weight_decay: float
    max_grad_norm: float
    lora: Lora | None
    loader: Loader
    logging_steps: int
    sharding: Sharding
    find_unused: bool = False
    liger: bool = False
    env: dict[str, str] = Field(default_factory=dict)


class Unmeasured(Record):
    """One edit of the patch that this run cannot show, and why."""

    field: str
    reason: str


class TranslatedArm(Record):
    """One arm, ready for the worker."""

    name: ArmName
    workload: str
    """Fingerprint of the workload."""
    recipe: Recipe


class Samples(Record):
    """How long the synthetic samples are, after scaling; both arms read the same stream."""

    p50: int
    p95: int
    longest: int
    origin: Literal["stated", "assumed"]


class Translation(Record):
    """What runs in place of the user's file."""

    model: str
    """The catalogue's name of the model whose dimensions were taken."""
    full: Shape
    shape: Shape
    """As it is built; equals `full` where nothing had to be scaled."""
    samples: Samples
    length_divisor: int = 1
    """All token lengths of the file, divided by this."""
    arms: tuple[TranslatedArm, ...]
    edits: dict[str, Json] = Field(default_factory=dict)
    """Fields that differ between the arms and are measured -> the value of the patched arm."""
    unmeasured: tuple[Unmeasured, ...] = ()
    notes: tuple[str, ...] = ()
    """Every way in which the run differs from the file, in plain sentences."""
