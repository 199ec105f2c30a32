"""Reads how a user's run trains: precision, weights, adapters, optimizer, recomputation."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.records.errors import MissingFacts
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from kb.catalog.models import Model
from runner.estimator.adapters import count_adapters, name_targets
from runner.estimator.job import Adapter, Base, Layout, Optimizer, Precision, Sharding
from runner.estimator.limits import count_of

_STATES = {
    # bytes of state per weight; None: two states of the weight's own width
    "adamw_bnb_8bit": 2.0, "adamw_8bit": 2.0, "paged_adamw_8bit": 2.0, "adamw_torch_8bit": 2.0,
    "adamw_torch_4bit": 1.0, "paged_adamw_32bit": 8.0, "paged_adamw": 8.0, "adafactor": 0.1,
    "lion_8bit": 1.0, "paged_lion_8bit": 1.0, "lion_32bit": 4.0, "paged_lion_32bit": 4.0,
    "sgd": 0.0, "rmsprop_bnb_8bit": 1.0, "ademamix_8bit": 3.0, "paged_ademamix_8bit": 3.0,
    "galore_adamw": 1.0, "galore_adamw_8bit": 0.5, "apollo_adamw": 0.5, "lomo": 0.0, "adalomo": 0.1,
}  # fmt: skip
_FOREACH = frozenset({"adamw_torch", "adamw_torch_xla", "adamw_hf", "sgd", "schedule_free_adamw"})


class Notes(NamedTuple):
    """Assumptions as they are made."""

    sentences: list[str]

    def add(self, sentence: str) -> None:
        """Keep one assumption."""
        self.sentences.append(sentence)


class Weights(NamedTuple):
    """Bytes per weight."""

    weight: float
    master: float
    gradient: float
    frozen: float
    cast: float = 0


class Recompute(NamedTuple):
    """Activation checkpointing."""

    share: float
    selective: bool
    offloaded: bool


def switched_on(workload: Workload, name: str) -> bool:
    """Whether a switch (true, or the name of a mode) is on."""
    value = workload.value(name, default=False)
    return value not in (False, None, 0, "", "false", "no", "off", "none")


def read_precision(workload: Workload, hardware: Hardware, notes: Notes) -> Precision:
    """Dtype of the matrix products."""
    dtype = workload.value("compute_dtype")
    if dtype is None:
        message = "the compute dtype is not known"
        remedy = "State bf16, fp16 or the dtype of the weights."
        raise MissingFacts(message, missing=("compute_dtype",), remedy=remedy)
    if dtype == "fp32":
        tf32 = workload.value("tf32", default=False) is True
        return "tf32" if tf32 and hardware.peak_tflops["tf32"] else "fp32"
    if dtype not in ("bf16", "fp16", "fp8"):
        message = f'compute dtype "{dtype}" is not projected'
        raise MissingFacts(message, missing=("compute_dtype",), remedy="State bf16, fp16 or fp8.")
    if dtype == "fp8" and not hardware.peak_tflops["fp8"]:
        message = f"no source gives {hardware.name} a figure for fp8 matrix products"
        remedy = "Train in bf16 or fp16 on this card, or name another card."
        raise MissingFacts(message, missing=("compute_dtype",), remedy=remedy)
    if dtype in ("fp16", "fp8"):
        return "fp16" if dtype == "fp16" else "fp8"
    if not hardware.bf16:
        notes.add(f"{hardware.name} has no bf16 matrix units: projected at fp32 speed")
    return "bf16"


def read_weights(
    workload: Workload, layout: Layout, precision: Precision, *, trained: bool
) -> Weights:
    """Bytes per trained and per frozen weight.

    fp32 weights under autocast have 16-bit copies until the backward pass; FSDP in newer
    accelerate and LLaMA-Factory keep trained weights in fp32; DeepSpeed keeps an fp32 master copy.
    """
    loaded = workload.value("model_load_dtype")
    half = precision not in ("fp32", "tf32")
    narrow = loaded in ("bf16", "fp16") or (loaded not in ("fp32",) and half)
    frozen = 2.0 if narrow else 4.0
    if not trained:
        return Weights(4, 0, 4, frozen)
    if half and workload.value("deepspeed_stage") is not None:
        return Weights(2, 4, 2, frozen)
    upcast = layout.sharding == "fsdp" or workload.framework == "llamafactory"
    if narrow and not upcast:
        return Weights(2, 0, 2, frozen)
    cast = 2 if half and layout.sharding != "fsdp" else 0
    return Weights(4, 0, 4, frozen, cast)


def read_base(workload: Workload) -> Base:
    """How frozen weights are held."""
    method, bits = workload.value("finetune_method"), workload.value("quant_bits")
    kind = str(workload.value("quant_type", ""))
    if method == "full" or not (bits or method == "qlora"):
        return "plain"
    if "gptq" in kind or "gptq" in str(workload.value("model_id", "")).lower():
        return "gptq"
    return "int8" if bits == 8 else "nf4"


def read_adapter(workload: Workload, model: Model, notes: Notes) -> Adapter | None:
    """Low-rank adapters, or None where the model's own weights are trained."""
    method = workload.value("finetune_method", "full")
    if method not in ("lora", "qlora", "dora", "rslora"):
        if method == "freeze":
            notes.add("freeze: projected as if every weight were trained")
        return None
    rank = count_of(workload, "lora_r")
    if rank is None:
        notes.add("no adapter rank stated: 8")
        rank = 8
    targets = name_targets(workload.value("lora_target_modules"))
    size = count_adapters(model, rank, targets)
    if size.unknown:
        notes.add(f"adapted modules not counted: {', '.join(size.unknown)}")
    if not size.modules:
        size = count_adapters(model, rank, name_targets(None))
    variant: Literal["lora", "dora"] = "dora" if method == "dora" else "lora"
    return Adapter(rank, size.parameters, size.modules, size.inputs, variant)


def weights_offloaded(workload: Workload, sharding: Sharding) -> bool:
    """Whether weights wait in the host's memory: ZeRO-3's offload_param, FSDP's CPU offload."""
    if sharding == "fsdp":
        return switched_on(workload, "fsdp_cpu_offload")
    return sharding == "zero3" and switched_on(workload, "offload_param")


def read_optimizer(
    workload: Workload, weights: Weights, sharding: Sharding, notes: Notes
) -> Optimizer:
    """States and temporaries of the named optimizer."""
    name = str(workload.value("optimizer", "adamw_torch")).lower()
    known = name in _STATES or name.startswith("adamw") or name in _FOREACH
    if not known:
        notes.add(f"optimizer {name} taken as AdamW")
    width = 4.0 if weights.weight == 4 or weights.master else 2.0
    states_away = sharding.startswith("zero") and switched_on(workload, "offload_optimizer")
    return Optimizer(
        state_bytes=_STATES.get(name, 2 * width),
        temporary=name in _FOREACH or not known,
        in_backward="in_bwd" in name or name in ("lomo", "adalomo"),
        offloaded=states_away or (sharding == "fsdp" and weights_offloaded(workload, sharding)),
    )


def read_recompute(workload: Workload) -> Recompute:
    """Share of recomputed layers."""
    mode = workload.value("gradient_checkpointing", default=False)
    on = switched_on(workload, "gradient_checkpointing")
    text = mode if isinstance(mode, str) else ""
    selective = "selective" in text
    offloaded = switched_on(workload, "activation_offloading") or text in (
        "offload", "offload_disk", "unsloth",
    )  # fmt: skip
    return Recompute(0.5 if selective else float(on), selective, on and offloaded)
