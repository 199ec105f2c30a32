"""How a torchtune YAML is read and edited: its key table; `_component_` names carry the facts.

Keys and defaults: github:pytorch/torchtune@bd2a0fc (0.7.0), the `cfg.get(...)` calls of recipes/.
"""

from __future__ import annotations

from dataclasses import dataclass

from workload.dialects import Detection
from workload.dialects.references import ReferenceDocument
from workload.dialects.torchtune_edits import SPECIALS
from workload.dialects.torchtune_fields import finish
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key
from workload.source import SourceText
from workload.splice.yaml_tree import Mapping, Scalar, read_tree

TABLE = (
    Key("model_load_dtype", ("dtype",)),
    Key("lora_r", ("model.lora_rank",)),
    Key("lora_alpha", ("model.lora_alpha",)),
    Key("lora_dropout", ("model.lora_dropout",)),
    Key("lora_target_modules", ("model.lora_attn_modules",)),
    Key("max_seq_len", ("tokenizer.max_seq_len",), default=None),
    Key("packing", ("dataset.packed",)),
    Key("seed", ("seed",), default=None),
    Key("learning_rate", ("optimizer.lr",)),
    Key("weight_decay", ("optimizer.weight_decay",)),
    Key("warmup_steps", ("lr_scheduler.num_warmup_steps",)),
    Key("num_epochs", ("epochs",)),
    Key("per_device_train_batch_size", ("batch_size",)),
    Key("per_device_eval_batch_size", ("batch_size_val",)),
    Key("gradient_accumulation_steps", ("gradient_accumulation_steps",)),
    Key("max_grad_norm", ("clip_grad_norm",), default=None),
    Key("torch_compile", ("compile",), default=False),
    Key("gradient_checkpointing", ("enable_activation_checkpointing",), default=False),
    Key("activation_offloading", ("enable_activation_offloading",), default=False),
    Key("fsdp_cpu_offload", ("fsdp_cpu_offload",), default=False),
    Key("tensor_parallel_size", ("tensor_parallel_dim",), default=1),
    Key("context_parallel_size", ("context_parallel_dim",), default=1),
    Key("fp8", ("enable_fp8_training",), default=False),
    Key("logging_steps", ("log_every_n_steps",), default=1),
    Key("eval_steps", ("run_val_every_n_steps",), default=None),
    Key("save_steps", ("save_every_n_steps",), default=None),
)


def recognise(keys: frozenset[str]) -> Detection:
    """By the top-level keys alone: never enough without a component."""
    return Detection(0.0, "no torchtune component")


@dataclass(frozen=True)
class ComponentDialect(YamlDialect):
    """A framework whose blocks name the class they are built from by `_component_`."""

    def detect(self, source: SourceText) -> Detection:
        """By the blocks that name a torchtune component."""
        root = source.parsed(read_tree)
        blocks = root.entries if isinstance(root, Mapping) else []
        named = [
            entry.key.value
            for entry in blocks
            if isinstance(entry.key, Scalar) and _component(entry.value) is not None
        ]
        own = [entry for entry in blocks if "torchtune" in (_component(entry.value) or "")]
        if not named:
            return Detection(0.0, "no block names a _component_")
        score = 0.55 + 0.1 * min(len(named), 3) + 0.1 * bool(own)
        return Detection(min(score, 0.98), f"torchtune: _component_ in {', '.join(named[:3])}")


def _component(node: object) -> str | None:
    """The `_component_` of a block."""
    for entry in node.entries if isinstance(node, Mapping) else ():
        if isinstance(entry.key, Scalar) and entry.key.value == "_component_":
            return entry.value.value if isinstance(entry.value, Scalar) else None
    return None


TORCHTUNE = ComponentDialect(
    format="torchtune_yaml",
    framework="torchtune",
    loader="omegaconf",
    table=TABLE,
    packages=("torchtune",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("torchtune.txt",),
    unknown_keys_stop=False,
    open=ReferenceDocument,
)
