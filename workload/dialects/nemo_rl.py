"""How a NeMo RL YAML is read and edited: its keys by backend and algorithm, and its parents.

Keys: github:NVIDIA-NeMo/RL@7ea279a (0.6.0), nemo_rl/models/policy/, nemo_rl/utils/config.py and
examples/configs/. There are no defaults in code: all values stand in the file or its parents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.finding import FieldEdit
from workload.dialects import Change, Detection, Reading
from workload.dialects.layers import LayeredDocument, leave_open, names_in
from workload.dialects.nemo_rl_edits import SPECIALS
from workload.dialects.nemo_rl_fields import DTYPES, OPEN, algorithm_of, backend_of, finish
from workload.dialects.references import ReferenceDocument
from workload.dialects.yaml_dialect import YamlDialect, known_keys, top_keys
from workload.dialects.yaml_table import Key
from workload.source import SourceText
from workload.splice.yaml_document import Document
from workload.splice.yaml_tree import Mapping as YamlMapping
from workload.splice.yaml_values import Loader

POLICY = (
    Key("model_id", ("policy.model_name",)),
    Key("model_load_dtype", ("policy.precision",), words=DTYPES),
    Key("train_batch_size", ("policy.train_global_batch_size",)),
    Key("per_device_train_batch_size", ("policy.train_micro_batch_size",)),
    Key("max_seq_len", ("policy.max_total_sequence_length",)),
    Key("packing", ("policy.sequence_packing.enabled",)),
    Key("max_grad_norm", ("policy.max_grad_norm",)),
)
BACKENDS: dict[str, tuple[Key, ...]] = {
    "dtensor": (
        Key("gradient_checkpointing", ("policy.dtensor_cfg.activation_checkpointing",)),
        Key("tensor_parallel_size", ("policy.dtensor_cfg.tensor_parallel_size",)),
        Key("context_parallel_size", ("policy.dtensor_cfg.context_parallel_size",)),
        Key("fsdp_cpu_offload", ("policy.dtensor_cfg.cpu_offload",)),
        Key("lora_r", ("policy.dtensor_cfg.lora_cfg.dim",)),
        Key("lora_alpha", ("policy.dtensor_cfg.lora_cfg.alpha",)),
        Key("lora_dropout", ("policy.dtensor_cfg.lora_cfg.dropout",)),
        Key("liger", ("policy.dtensor_cfg.automodel_kwargs.use_liger_kernel",)),
        Key("learning_rate", ("policy.optimizer.kwargs.lr",)),
        Key("weight_decay", ("policy.optimizer.kwargs.weight_decay",)),
    ),
    "megatron": (
        Key("gradient_checkpointing", ("policy.megatron_cfg.activation_checkpointing",)),
        Key("tensor_parallel_size", ("policy.megatron_cfg.tensor_model_parallel_size",)),
        Key("context_parallel_size", ("policy.megatron_cfg.context_parallel_size",)),
        Key("lora_r", ("policy.megatron_cfg.peft.dim",)),
        Key("lora_alpha", ("policy.megatron_cfg.peft.alpha",)),
        Key("lora_dropout", ("policy.megatron_cfg.peft.dropout",)),
        Key("fp8", ("policy.megatron_cfg.fp8_cfg.enabled",)),
        Key("learning_rate", ("policy.megatron_cfg.optimizer.lr",)),
        Key("weight_decay", ("policy.megatron_cfg.optimizer.weight_decay",)),
        Key("warmup_steps", ("policy.megatron_cfg.scheduler.lr_warmup_iters",)),
        Key("lr_scheduler", ("policy.megatron_cfg.scheduler.lr_decay_style",)),
    ),
}
RUN = (
    Key("save_steps", ("checkpointing.save_period",)),
    Key("dataloader_num_workers", ("data.num_workers",)),
    Key("num_processes", ("cluster.gpus_per_node",)),
    Key("num_machines", ("cluster.num_nodes",)),
)
ALGORITHM = (
    ("max_steps", "max_num_steps"),
    ("num_epochs", "max_num_epochs"),
    ("eval_steps", "val_period"),
    ("seed", "seed"),
)

EVALUATES = frozenset({"eval", "generation", "tokenizer"})
"""Top-level keys of files that evaluate a model and train nothing."""


def table_of(backend: str, algorithm: str) -> tuple[Key, ...]:
    """The key table for one backend and one algorithm's block."""
    own = tuple(Key(field, (f"{algorithm}.{key}",)) for field, key in ALGORITHM)
    return (*POLICY, *BACKENDS[backend], *own, *RUN)


class NemoDocument(ReferenceDocument, LayeredDocument):
    """A file over its `defaults:`, with NeMo RL's own resolvers."""

    resolvers = {  # noqa: RUF012 - never changed
        "add": lambda one, other: one + other,
        "mul": lambda one, other: one * other,
        "div": lambda one, other: one / other,
        "max": max,
    }

    def __init__(self, source: SourceText, loader: Loader) -> None:
        super().__init__(source, loader)
        self.add_parents("defaults")

    def roots(self) -> list[YamlMapping]:
        """Those of all layers."""
        return [layer.root for layer in self.layers]


def recognise(keys: frozenset[str]) -> Detection:
    """A policy with its cluster and algorithm, or a child that changes some of them."""
    blocks = keys & {"sft", "dpo", "rm", "grpo", "ppo", "distillation", "loss_fn"}
    run = keys & {"checkpointing", "logger", "cluster", "data"}
    inherits = "defaults" in keys
    if "policy" in keys and (blocks or inherits or len(run) >= 2):
        score = min(0.98, 0.6 + 0.1 * bool(blocks) + 0.05 * len(run) + 0.1 * inherits)
        return Detection(score, f"NeMo RL: policy, {', '.join(sorted(blocks | run)[:3])}")
    if inherits and (blocks or len(run) >= 2):
        return Detection(0.6, f"a child of a NeMo RL file: {', '.join(sorted(blocks | run)[:3])}")
    return Detection(0.0, "no NeMo RL policy")


@dataclass(frozen=True)
class NemoDialect(YamlDialect):
    """NeMo RL: which keys hold a field depends on the backend and the algorithm."""

    def detect(self, source: SourceText) -> Detection:
        """By the top-level keys; parents are never the main file beside their child."""
        found, keys = super().detect(source), top_keys(source)
        if "defaults" not in keys:
            return found
        parents = tuple(names_in(Document(source, self.loader).value("defaults")))
        files = parents and all(name.endswith((".yaml", ".yml")) for name in parents)
        if files and not found.score and keys <= known_keys(self.key_files) - EVALUATES:
            found = Detection(0.55, f"a child of {parents[0][:80]} with NeMo RL keys")
        return replace(found, builds_on=parents) if found.score else found

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of a file over its parents. Raises InputError."""
        variant = self.variant(source)
        reading = YamlDialect.read(variant, source, versions)
        names = (*(key.field for key in variant.table), *OPEN)
        leave_open(reading.fields, names, NemoDocument(source, self.loader).missing)
        return reading

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the main file. Raises CannotEdit."""
        return YamlDialect.changes(self.variant(source), source, edit, reading)

    def variant(self, source: SourceText) -> YamlDialect:
        """This dialect with the table of the file's backend and algorithm."""
        document = self.open(source, self.loader)
        backend, (algorithm, _) = backend_of(document), algorithm_of(document)
        return replace(self, table=table_of(backend, algorithm))


NEMO_RL = NemoDialect(
    format="nemo_rl_yaml",
    framework="nemo_rl",
    loader="omegaconf",
    table=table_of("dtensor", "sft"),
    packages=(),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("nemo_rl.txt",),
    unknown_keys_stop=False,
    open=NemoDocument,
)
