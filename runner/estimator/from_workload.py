"""Makes a Job of a user's workload; asks for what decides and is not known, guesses nothing.

Fields that the file leaves to a framework's default carry that default already. What nobody states
and what changes little is assumed, and every assumption is a sentence in `Reading.assumptions`.
"""

from __future__ import annotations

from typing import NamedTuple

from audit.records.errors import MissingFacts
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from kb.catalog.models import Model, find_model
from runner.estimator.card import read_card
from runner.estimator.job import Job
from runner.estimator.limits import COUNTS, check_devices, check_values, count_of
from runner.estimator.workload_data import Samples, read_samples
from runner.estimator.workload_layout import read_layout, read_stack
from runner.estimator.workload_recipe import (
    Notes,
    read_adapter,
    read_base,
    read_optimizer,
    read_precision,
    read_recompute,
    read_weights,
    switched_on,
    weights_offloaded,
)

_GENERATES = frozenset({"grpo", "rloo", "ppo", "kd"})
_PAIRED = frozenset({"dpo", "orpo", "kto", "reward", "ipo", "simpo", "cpo"})
_REFERENCE = frozenset({"dpo", "kto", "ipo"})
_METHODS = frozenset({"full", "lora", "qlora", "dora", "rslora", "freeze", "galore"})
_DECIDING = (
    "finetune_method",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "max_seq_len",
    "packing",
    "gradient_checkpointing",
    "compute_dtype",
    "quant_bits",
    "optimizer",
)
"""Fields that decide speed or memory: an `unknown` one is asked for."""


class Reading(NamedTuple):
    """A workload understood."""

    job: Job
    assumptions: tuple[str, ...]
    variable: bool
    """Whether sample lengths vary and nobody states them."""


def read_job(workload: Workload, hardware: Hardware, gpus: int, nodes: int) -> Reading:
    """The Job of a workload on `nodes` machines with `gpus` cards each.

    Raises:
        MissingFacts: names the fields that decide and are not known, or that no run can have.
    """
    notes = Notes([])
    check_values(workload)
    _refuse_invalid(workload)
    model = _known_model(workload, notes)
    _refuse_unknown(workload)
    _refuse_task(workload)
    check_devices(workload, model, gpus, nodes)
    stack = read_stack(workload)
    micro, accumulation = _batch(workload, notes)
    layout = read_layout(workload, hardware, gpus, nodes, accumulation, notes)
    samples = read_samples(workload, micro, model, notes)
    adapter = read_adapter(workload, model, notes)
    base = read_base(workload)
    precision = read_precision(workload, hardware, notes)
    weights = read_weights(workload, layout, precision, trained=adapter is None)
    recompute = read_recompute(workload)
    for sentence in read_card(hardware).assumed:
        notes.add(f"{hardware.name}: {sentence}, which no source states")
    liger = switched_on(workload, "liger")
    names = _kernel_names(workload)
    task = str(workload.value("task", "sft"))
    job = Job(
        model=model,
        hardware=hardware,
        layout=layout,
        micro_batch=micro * (2 if task in _PAIRED else 1),
        accumulation=accumulation,
        length=samples.processed,
        longest=samples.longest,
        real=samples.efficiency,
        reach=samples.reach,
        extra_forward=1.0 if task in _REFERENCE and adapter is None else 0.0,
        precision=precision,
        weight_bytes=weights.weight,
        master_bytes=weights.master,
        cast_bytes=weights.cast,
        gradient_bytes=weights.gradient,
        adapter=adapter,
        base=base,
        kbit_prepared=base != "plain" and workload.framework in ("trl", "hf", "axolotl"),
        frozen_bytes=weights.frozen,
        offloaded_weights=weights_offloaded(workload, layout.sharding),
        optimizer=read_optimizer(workload, weights, layout.sharding, notes),
        checkpointing=recompute.share,
        saves="matmuls" if recompute.selective else "blocks",
        offloaded_activations=recompute.offloaded,
        eager_attention=workload.value("attn_implementation") == "eager",
        packed=samples.packed,
        fused_kernels=liger or bool(names) or workload.framework == "unsloth",
        chunked_loss=liger or "cut_cross_entropy" in names or workload.framework == "unsloth",
        compiled=switched_on(workload, "torch_compile"),
        fast_experts=_groups_experts(workload),
        stack=stack,
    )
    return Reading(job, tuple(notes.sentences), samples.variable)


def _known_model(workload: Workload, notes: Notes) -> Model:
    asked = workload.value("model_id")
    if not isinstance(asked, str) or not asked:
        message = "the file does not say which model is trained"
        raise MissingFacts(message, missing=("model_id",), remedy="State the model's hub id.")
    model = find_model(asked)
    if model is None:
        message = f'model "{asked}" is not in the catalogue'
        remedy = "State the hub id of the model it derives from; its dimensions are needed."
        raise MissingFacts(message, missing=("model_id",), remedy=remedy)
    if model.matched != "id":
        notes.add(f'model "{asked}" taken as {model.name} by family and size')
    return model


def _refuse_invalid(workload: Workload) -> None:
    """Refuse values that the reader already found to be none that a run can have."""
    for name, field in workload.fields.items():
        problem = field.source or ""
        if field.origin != "unknown" or not field.key:
            continue
        if problem.startswith("must ") or (name in COUNTS and problem.startswith("is ")):
            remedy = "Write it as a plain whole number." if name in COUNTS else "Correct it."
            message = f"{field.key} {problem}"
            raise MissingFacts(
                message, missing=(name,), remedy=remedy, file=field.file, line=field.line
            )


def _refuse_unknown(workload: Workload) -> None:
    """Ask for deciding fields that the file sets to something that only running it would tell."""
    unknown = tuple(
        name
        for name in _DECIDING
        if name in workload.fields and workload.fields[name].origin == "unknown"
    )
    if not unknown:
        return
    first = workload.fields[unknown[0]]
    message = f"not known without running the file: {', '.join(unknown)}"
    remedy = "State them as plain values."
    place = (first.file, first.line) if first.line else (None, None)
    raise MissingFacts(message, missing=unknown, remedy=remedy, file=place[0], line=place[1])


def _refuse_task(workload: Workload) -> None:
    task, method = workload.value("task"), workload.value("finetune_method", "full")
    if task in _GENERATES:
        message = f"{task} spends most of its time generating, which is not projected"
        raise MissingFacts(message, missing=("task",))
    if method not in _METHODS:
        message = f'fine-tuning method "{method}" is not projected'
        raise MissingFacts(message, missing=("finetune_method",))


def _batch(workload: Workload, notes: Notes) -> tuple[int, int]:
    micro = count_of(workload, "per_device_train_batch_size")
    if micro is None:
        message = "the micro-batch is not known"
        remedy = "State per_device_train_batch_size."
        raise MissingFacts(message, missing=("per_device_train_batch_size",), remedy=remedy)
    accumulation = count_of(workload, "gradient_accumulation_steps")
    if accumulation is None:
        notes.add("no gradient accumulation stated: 1")
        accumulation = 1
    return micro, accumulation


def _kernel_names(workload: Workload) -> frozenset[str]:
    names = workload.value("fused_kernels")
    return frozenset(str(name) for name in names) if isinstance(names, list) else frozenset()


def _groups_experts(workload: Workload) -> bool:
    """Whether one kernel runs all experts: transformers 5 and Unsloth; before, a loop in Python."""
    release = workload.versions.get("transformers", "5").split(".")[0]
    return workload.framework == "unsloth" or not release.isdigit() or int(release) >= 5


def with_samples(reading: Reading, samples: Samples) -> Job:
    """The same job with other samples; for a caller that varies the batch."""
    from dataclasses import replace

    return replace(
        reading.job,
        length=samples.processed,
        longest=samples.longest,
        real=samples.efficiency,
        reach=samples.reach,
    )
