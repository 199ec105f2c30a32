"""How a Primus experiment YAML is read and edited: the overrides of its trainer module.

Keys: github:AMD-AGI/Primus@fd1eeab, examples/ (Megatron, Megatron-Bridge, TorchTitan, MaxText) and
primus/core/config/. Presets hold the defaults: read only where they were uploaded beside the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from workload.dialects import Detection, Reading
from workload.dialects.layers import leave_open
from workload.dialects.primus_document import PrimusDocument, preset_names
from workload.dialects.primus_edits import SPECIALS
from workload.dialects.primus_fields import OPEN, finish
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key
from workload.source import SourceText
from workload.splice.yaml_document import Document


def _override(field: str, *names: str) -> Key:
    """A field by its keys within the overrides: Megatron's first, then those of other backends."""
    return Key(field, tuple(f"modules.*.overrides.{name}" for name in names))


TABLE = (
    Key("model_id", ("modules.*.model",)),
    _override("tensor_parallel_size", "tensor_model_parallel_size",
              "parallelism.tensor_parallel_degree"),
    _override("context_parallel_size", "context_parallel_size",
              "parallelism.context_parallel_degree"),
    _override("max_steps", "train_iters", "training.steps", "steps"),
    _override("train_batch_size", "global_batch_size", "training.global_batch_size"),
    _override("per_device_train_batch_size", "micro_batch_size", "training.local_batch_size",
              "per_device_batch_size"),
    _override("max_seq_len", "seq_length", "training.seq_len", "max_target_length"),
    _override("eval_steps", "eval_interval"),
    _override("save_steps", "save_interval", "checkpoint.interval"),
    _override("logging_steps", "log_interval", "metrics.log_freq"),
    _override("packing", "packed_sequence", "enable_packed_sequences"),
    _override("learning_rate", "finetune_lr", "lr", "optimizer.lr", "learning_rate"),
    _override("warmup_steps", "lr_warmup_iters", "lr_scheduler.warmup_steps"),
    _override("lr_scheduler", "lr_decay_style"),
    _override("weight_decay", "weight_decay"),
    _override("max_grad_norm", "clip_grad", "training.max_norm"),
    _override("seed", "seed", "training.seed"),
    _override("lora_r", "lora.dim", "peft_dim"),
    _override("lora_alpha", "lora.alpha", "peft_alpha"),
    _override("lora_dropout", "lora.dropout"),
    _override("lora_target_modules", "lora.target_modules"),
    _override("torch_compile", "compile.enable"),
    _override("dataloader_num_workers", "num_workers"),
)  # fmt: skip


def recognise(keys: frozenset[str]) -> Detection:
    """Modules with the four names of an experiment."""
    own = keys & {"work_group", "user_name", "exp_name", "workspace"}
    if "modules" in keys and own:
        return Detection(0.6 + 0.09 * len(own), f"Primus: modules, {', '.join(sorted(own)[:3])}")
    if "extends" in keys and (own or "modules" in keys):
        return Detection(0.6, "a child of a Primus experiment")
    return Detection(0.0, "no Primus modules")


@dataclass(frozen=True)
class PrimusDialect(YamlDialect):
    """Primus: `extends` and presets among the uploaded files."""

    def detect(self, source: SourceText) -> Detection:
        """By the top-level keys; presets are never the main file beside an experiment."""
        found = super().detect(source)
        if not found.score:
            return found
        return replace(found, builds_on=preset_names(Document(source, self.loader)))

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of an experiment over its presets. Raises InputError."""
        reading = super().read(source, versions)
        names = (*(key.field for key in self.table), *OPEN)
        leave_open(reading.fields, names, PrimusDocument(source, self.loader).missing)
        return reading


PRIMUS = PrimusDialect(
    format="primus_exp_yaml",
    framework="primus",
    loader="pyyaml",
    table=TABLE,
    packages=(),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("primus.txt",),
    unknown_keys_stop=False,
    open=PrimusDocument,
)
