"""Reads the recipe of one arm from a workload: every knob as it can be applied on this box.

A knob that cannot be applied is named with its reason, and the arm keeps what `instead` does (the
baseline's), so that two arms never differ in something that nobody asked for.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.records.base import Json
from audit.records.errors import MissingFacts
from audit.records.spec import Arm
from audit.records.translated import (
    Checkpointing,
    Loader,
    Lora,
    Padding,
    Precision,
    Recipe,
    Sharding,
)
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from kb.catalog.models import Model
from runner.estimator.job import Job
from runner.estimator.limits import count_of
from runner.estimator.workload_recipe import switched_on
from runner.translation.place import Place
from runner.translation.variables import passed_on

FIELDS: dict[str, tuple[str, ...]] = {
    "per_device_train_batch_size": ("micro_batch",),
    "gradient_accumulation_steps": ("accumulation",),
    "max_seq_len": ("max_length",),
    "packing": ("padding", "isolated"),
    "padding_free": ("padding", "isolated"),
    "pad_to_max_length": ("padding",),
    "group_by_length": ("padding",),
    "attn_implementation": ("attention",),
    "bf16": ("precision", "weights"),
    "fp16": ("precision", "weights"),
    "tf32": ("precision",),
    "compute_dtype": ("precision", "weights"),
    "model_load_dtype": ("weights",),
    "gradient_checkpointing": ("checkpointing",),
    "gradient_checkpointing_reentrant": ("checkpointing",),
    "torch_compile": ("compiled",),
    "optimizer": ("optimizer",),
    "learning_rate": ("learning_rate",),
    "weight_decay": ("weight_decay",),
    "max_grad_norm": ("max_grad_norm",),
    "finetune_method": ("lora",),
    "lora_r": ("lora",),
    "lora_alpha": ("lora",),
    "lora_dropout": ("lora",),
    "lora_target_modules": ("lora",),
    "dataloader_num_workers": ("loader.workers",),
    "dataloader_pin_memory": ("loader.pin_memory",),
    "dataloader_prefetch_factor": ("loader.prefetch",),
    "logging_steps": ("logging_steps",),
    "fsdp": ("sharding",),
    "deepspeed_stage": ("sharding",),
    "ddp_find_unused_parameters": ("find_unused",),
    "liger": ("liger",),
}
"""Field of a workload -> the parts of a recipe by which it acts; `env:NAME` acts by `env`."""
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
BETWEEN_PASSES = "it acts between two passes over the data, which a window of steps never reaches"
LEARNING_RATE = 5e-5
"""transformers' default, where a file does not say."""


class Read(NamedTuple):
    """A recipe, what could not be applied by field, and what is simply different from the file."""

    recipe: Recipe
    refused: dict[str, str]
    notes: tuple[str, ...]


class Reader:
    """Reads one arm; `instead` gives the value of a knob that cannot be applied."""

    def __init__(
        self, arm: Arm, job: Job, place: Place, hardware: Hardware, instead: Recipe | None
    ) -> None:
        self.arm, self.workload, self.job = arm, arm.workload, job
        self.place, self.hardware, self.instead = place, hardware, instead
        self.refused: dict[str, str] = {}
        self.notes: list[str] = []

    def read(self, model: Model) -> Read:
        """The whole recipe.

        Raises:
            MissingFacts: a kind of training that the worker does not run.
        """
        workload = self.workload
        if workload.value("task", "sft") not in ("sft", "pretrain"):
            message = (
                f"{workload.value('task')} training is not measured yet, only sft and pretrain"
            )
            raise MissingFacts(message, missing=("task",))
        precision = self._precision()
        padding, isolated = self._padding()
        recipe = Recipe(
            micro_batch=count_of(workload, "per_device_train_batch_size") or 1,
            accumulation=count_of(workload, "gradient_accumulation_steps") or 1,
            max_length=self._max_length(model),
            padding=padding,
            isolated=isolated,
            attention=self._attention(),
            precision=precision,
            weights=self._weights(precision),
            checkpointing=self._checkpointing(),
            compiled=self._compiled(),
            optimizer=self._optimizer(),
            learning_rate=_number(workload.value("learning_rate"), LEARNING_RATE),
            weight_decay=_number(workload.value("weight_decay"), 0.0),
            max_grad_norm=_number(workload.value("max_grad_norm"), 1.0),
            lora=self._lora(),
            loader=self._loader(),
            logging_steps=max(1, int(_number(workload.value("logging_steps"), 500))),
            sharding=self._sharding(),
            find_unused=switched_on(workload, "ddp_find_unused_parameters"),
            liger=self._liger(),
            env=self._env(),
        )
        return Read(recipe, self.refused, tuple(self.notes))

    def _max_length(self, model: Model) -> int:
        stated = count_of(self.workload, "max_seq_len")
        longest = self.workload.lengths.max if self.workload.lengths else 2048
        return max(8, stated or min(longest, model.max or longest))

    def _padding(self) -> tuple[Padding, bool]:
        workload = self.workload
        if switched_on(workload, "packing") or workload.value("task") == "pretrain":
            mixes = workload.framework == "llamafactory" and not switched_on(
                workload, "padding_free"
            )
            return "packed", not mixes
        if switched_on(workload, "padding_free"):
            return "padding_free", True
        if switched_on(workload, "pad_to_max_length"):
            return "max", True
        return ("grouped" if switched_on(workload, "group_by_length") else "longest"), True

    def _attention(self) -> str:
        name = str(self.workload.value("attn_implementation", "sdpa"))
        why = self.place.why_not_attention(name)
        if why is None:
            return name
        kept = self.instead.attention if self.instead else "sdpa"
        self._refuse("attn_implementation", f"{why}; {kept} ran in its place")
        return kept

    def _precision(self) -> Precision:
        name = str(self.job.precision)
        why = self.place.why_not_precision(name)
        if why is None:
            found: Precision = name  # type: ignore[assignment]
            return found
        kept: Precision = self.instead.precision if self.instead else "fp32"
        for field in ("compute_dtype", "fp16", "fp8", "tf32"):
            self.refused[field] = f"{why}; {kept} ran in its place"
        self.notes.append(self.refused["compute_dtype"])
        return kept

    def _weights(self, precision: Precision) -> Literal["fp32", "bf16", "fp16"]:
        if precision not in ("bf16", "fp16"):
            return "fp32"
        wide = self.job.frozen_bytes == 4 if self.job.adapter else self.job.weight_bytes == 4
        half: Literal["bf16", "fp16"] = "bf16" if precision == "bf16" else "fp16"
        return "fp32" if wide else half

    def _checkpointing(self) -> Checkpointing:
        if not self.job.checkpointing:
            return "off"
        if self.job.saves == "matmuls" or self.job.offloaded_activations:
            self.notes.append("checkpointing runs plain: every layer recomputed, nothing offloaded")
        reentrant = self.workload.value("gradient_checkpointing_reentrant", default=False)
        return "reentrant" if reentrant is True else "non_reentrant"

    def _compiled(self) -> bool:
        if not switched_on(self.workload, "torch_compile"):
            return False
        why = self.place.why_not_compile()
        if why:
            self._refuse("torch_compile", why)
            return self.instead.compiled if self.instead else False
        return True

    def _optimizer(self) -> str:
        name = str(self.workload.value("optimizer", "adamw_torch")).lower()
        why = self.place.why_not_optimizer(name)
        if why is None:
            return name
        kept = self.instead.optimizer if self.instead else "adamw_torch"
        self._refuse("optimizer", f"{why}; {kept} ran in its place")
        return kept

    def _lora(self) -> Lora | None:
        adapter, workload = self.job.adapter, self.workload
        if self.job.base != "plain":
            self._refuse("quant_bits", "the base is not quantized in a translated run")
        if adapter is None:
            return None
        if adapter.variant == "dora":
            self.notes.append("DoRA runs as plain LoRA")
        return Lora(
            rank=adapter.rank,
            alpha=_number(workload.value("lora_alpha"), 2.0 * adapter.rank),
            dropout=_number(workload.value("lora_dropout"), 0.0),
            targets=_targets(workload.value("lora_target_modules")),
        )

    def _loader(self) -> Loader:
        workload = self.workload
        if not self.place.gpu:
            self.refused["dataloader_pin_memory"] = "pinned memory is for copies to a GPU"
        self.refused["dataloader_persistent_workers"] = BETWEEN_PASSES
        workers = int(_number(workload.value("dataloader_num_workers"), 0))
        prefetch = workload.value("dataloader_prefetch_factor")
        return Loader(
            workers=workers,
            pin_memory=switched_on(workload, "dataloader_pin_memory"),
            prefetch=int(prefetch) if workers and isinstance(prefetch, int) else None,
            persistent=switched_on(workload, "dataloader_persistent_workers"),
        )

    def _sharding(self) -> Sharding:
        kind = self.job.layout.sharding
        if self.job.layout.gpus == 1:
            return "none"
        if kind in ("zero1", "zero2"):
            self.notes.append("DeepSpeed ZeRO below stage 3 runs as data parallel (DDP)")
        if kind == "zero3":
            self.notes.append("DeepSpeed ZeRO-3 runs as fully sharded data parallel (FSDP)")
        return "fsdp" if kind in ("fsdp", "zero3") else "ddp"

    def _liger(self) -> bool:
        if not switched_on(self.workload, "liger"):
            return False
        why = self.place.why_not_liger()
        if why:
            self._refuse("liger", why)
            return self.instead.liger if self.instead else False
        return True

    def _env(self) -> dict[str, str]:
        stated = {
            name[4:]: str(field.value)
            for name, field in self.workload.fields.items()
            if name.startswith("env:") and field.value is not None and field.origin != "unknown"
        }
        allowed, refused = passed_on({**stated, **self.arm.env})
        for name in refused:
            self._refuse(f"env:{name}", "the worker passes no such variable on")
        return allowed

    def _refuse(self, field: str, why: str) -> None:
        self.refused[field] = why
        self.notes.append(why)


def _number(value: Json, default: float) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain else default


def _targets(value: Json) -> tuple[str, ...]:
    """Modules of the built decoder that the file adapts; PEFT's default is query and value."""
    if value is None:
        return ("q_proj", "v_proj")
    words = [value] if isinstance(value, str) else [str(word) for word in value]
    found = tuple(name for name in MODULES if any(word.split(".")[-1] == name for word in words))
    return found or ("all-linear",)


def workload_edits(before: Workload, after: Workload) -> dict[str, Json]:
    """Fields whose value differs, derived ones left out -> the value in `after`."""
    names = sorted({*before.fields, *after.fields})
    found: dict[str, Json] = {}
    for name in names:
        one, other = before.fields.get(name), after.fields.get(name)
        origin = other.origin if other else one.origin if one else "derived"
        old, new = (one.value if one else None), (other.value if other else None)
        if old != new and origin != "derived":
            found[name] = new
    return found
