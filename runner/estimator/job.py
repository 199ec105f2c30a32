"""What an estimate needs to know of a training job, free of frameworks, files and tables.

`from_workload` makes a Job of a user's file, `points` one of a published row. Everything here is
decided: a field that nobody stated carries the value that was assumed for it, and the maker of the
Job says so in its list of assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from kb.catalog.hardware import Hardware
from kb.catalog.models import Model

Precision = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "fp8_rowwise", "mxfp8", "nvfp4"]
Base = Literal["plain", "nf4", "nf4-double", "int8", "gptq"]
"""How the frozen weights are held; `plain` is the compute dtype."""
Sharding = Literal["none", "ddp", "zero1", "zero2", "zero3", "fsdp"]
Stack = Literal[
    "hf", "deepspeed", "ms-swift", "llm-foundry", "torchtune", "litgpt",
    "torchtitan", "megatron", "automodel", "nemo-lora", "rocm-lora", "maxtext",
]  # fmt: skip
"""Families of training code that share their overheads."""
Meter = Literal["allocated", "reserved", "device"]


class Optimizer(NamedTuple):
    """What an optimizer keeps and moves, per trained parameter."""

    state_bytes: float
    temporary: bool = True
    """Whether the step holds a copy of all updates (foreach loops; fused kernels do not)."""
    in_backward: bool = False
    """The step runs inside the backward pass: gradients never exist all at once."""
    offloaded: bool = False
    """States (and the step) live in the host's memory."""


ADAMW = Optimizer(4)
"""torch's AdamW over bf16 weights: two bf16 states and a foreach copy."""


class Layout(NamedTuple):
    """How ranks share the work."""

    gpus: int = 1
    """All ranks."""
    node: int = 8
    """Ranks that share fast links."""
    sharding: Sharding = "none"
    tensor: int = 1
    pipeline: int = 1
    virtual: float = 1
    """Model chunks per pipeline rank; a naive pipeline has 1 / accumulation: nothing overlaps."""
    context: int = 1
    expert: int = 1
    overlapped_tensor: bool = False
    """Asynchronous tensor parallelism."""
    shards: int = 0
    """Ranks that shard the weights; 0: all data-parallel ranks."""

    @property
    def replicas(self) -> int:
        """Data-parallel ranks: those that see different samples."""
        return max(1, self.gpus // (self.tensor * self.pipeline * self.context))

    @property
    def shard_ranks(self) -> int:
        """Ranks over which weights and states are split."""
        if self.sharding in ("none", "ddp"):
            return 1
        return self.shards or self.replicas * self.context


class Adapter(NamedTuple):
    """Low-rank adapters on frozen weights."""

    rank: int
    parameters: int
    modules: int
    """Adapted linear layers per block."""
    inputs: int
    """Values per token that these layers read, per block."""
    variant: Literal["lora", "dora"] = "lora"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One training run on one kind of card."""

    model: Model
    hardware: Hardware
    layout: Layout
    micro_batch: float
    accumulation: float
    length: float
    """Tokens that one sample of a micro-batch costs, padding counted (mean)."""
    longest: float
    """Tokens of the longest sample of the longest micro-batch: what memory must hold."""
    real: float
    """Share of the processed tokens that are real, 0 to 1."""
    reach: float = 0.0
    """Tokens that attention covers in one sequence; 0: `length`. Shorter where packed samples are
    kept apart."""
    extra_forward: float = 0.0
    """Further forward passes per token without a backward pass (a reference model)."""
    precision: Precision = "bf16"
    weight_bytes: float = 2
    """Bytes per trained weight as it is kept (4: fp32 weights under autocast)."""
    master_bytes: float = 0
    """Bytes per trained weight of an extra fp32 copy."""
    cast_bytes: float = 0
    """Bytes per trained weight of the 16-bit copies that autocast keeps until the backward pass."""
    gradient_bytes: float = 2
    adapter: Adapter | None = None
    """None: every weight is trained."""
    trained_embeddings: bool = False
    """Embedding and head are trained and saved beside the adapter."""
    base: Base = "plain"
    keeps_inputs: bool = False
    """Frozen products keep their inputs, as bitsandbytes before 0.42 did."""
    kbit_prepared: bool = False
    """Norms and activations were cast to fp32, as PEFT's k-bit preparation does."""
    frozen_bytes: float = 2
    """Bytes per frozen weight that is not quantized."""
    offloaded_weights: bool = False
    """Weights live in the host's memory and are copied in block by block."""
    optimizer: Optimizer = ADAMW
    checkpointing: float = 0.0
    """Share of the layers that are recomputed in the backward pass."""
    saves: Literal["blocks", "matmuls"] = "blocks"
    """What checkpointing keeps: block inputs only, or the products of matrices too (selective)."""
    offloaded_activations: bool = False
    eager_attention: bool = False
    packed: bool = False
    fused_kernels: bool = False
    """Fused norm, rotary, MLP and cross-entropy kernels (Liger without its loss, foak, TE)."""
    chunked_loss: bool = False
    """Logits never exist as a whole (Liger's fused linear loss, chunked cross-entropy)."""
    half_loss: bool = False
    """The loss runs in 16 bits: the model's code does not upcast and nothing autocasts."""
    eager_loss: bool = False
    """The loss is not fused although other kernels are."""
    compiled: bool = False
    fast_experts: bool = True
    """Grouped expert kernels; False: a loop over experts in Python."""
    capacity: float = 1.0
    """Tokens that the experts process per token routed (capacity factor)."""
    deep_ep: bool = False
    stack: Stack = "hf"
    meter: Meter = "allocated"

    @property
    def trained(self) -> bool:
        """Whether the model's own weights are trained."""
        return self.adapter is None

    @property
    def fused_loss(self) -> bool:
        """Whether one kernel computes the loss, without fp32 copies of the logits."""
        return (self.fused_kernels or self.compiled) and not self.eager_loss

    @property
    def covered(self) -> float:
        """Tokens that attention covers in one sequence."""
        return self.reach or self.length

    @property
    def micro_tokens(self) -> float:
        """Tokens of one micro-batch on one rank."""
        return self.micro_batch * self.length / self.layout.context

    @property
    def step_tokens(self) -> float:
        """Tokens, padding counted, of one optimizer step over all ranks."""
        return self.micro_batch * self.length * self.accumulation * self.layout.replicas
