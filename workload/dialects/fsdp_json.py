"""How an FSDP config of transformers' Trainer is read and edited: the file of `fsdp_config`.

Keys: transformers 5.23.0 training_args.py `fsdp_config` and accelerate 1.15.0
FullyShardedDataParallelPlugin, with or without the `fsdp_` prefix.
"""

from __future__ import annotations

from workload.dialects import Detection
from workload.dialects.json_dialect import JsonDialect
from workload.dialects.yaml_table import FieldReader, Key
from workload.normalise import canonical

TABLE = (
    Key("fsdp_cpu_offload", ("offload_params", "fsdp_offload_params", "cpu_offload")),
    Key(
        "gradient_checkpointing",
        ("activation_checkpointing", "fsdp_activation_checkpointing", "xla_fsdp_grad_ckpt"),
    ),
)
OWN = frozenset(
    {
        "transformer_layer_cls_to_wrap", "backward_prefetch", "forward_prefetch", "state_dict_type",
        "limit_all_gathers", "use_orig_params", "sync_module_states", "min_num_params",
        "cpu_ram_efficient_loading", "activation_checkpointing", "xla", "xla_fsdp_v2",
        "xla_fsdp_grad_ckpt", "xla_fsdp_settings", "auto_wrap_policy", "sharding_strategy",
        "reshard_after_forward", "offload_params", "version", "mixed_precision_policy",
    }
)  # fmt: skip
TELLING = OWN - {"version", "xla", "offload_params", "min_num_params", "state_dict_type"}


def recognise(keys: frozenset[str]) -> Detection:
    """Only keys of FSDP, one of them its own beyond doubt."""
    plain = {key.removeprefix("fsdp_") for key in keys}
    own, telling = plain & OWN, plain & TELLING
    if telling and len(own) * 2 > len(keys):
        score = min(0.95, 0.6 + 0.08 * len(own))
        return Detection(score, f"FSDP: {', '.join(sorted(telling)[:3])}")
    return Detection(0.0, "no FSDP keys")


def finish(reader: FieldReader) -> None:
    """What the file means for a run."""
    why = "an FSDP config: used where the training arguments set fsdp"
    reader.derived("fsdp", True, why)
    place = reader.document.place("xla")
    if place is not None and canonical("fsdp", reader.document.plain(place.value)) is True:
        reader.notice("note", "xla is on: this config is for PyTorch/XLA, not for GPUs", place)


FSDP = JsonDialect(
    format="fsdp_json",
    framework="hf",
    loader="pyyaml",
    table=TABLE,
    packages=("transformers",),
    recognise=recognise,
    finish=finish,
    specials={},
    key_files=("fsdp.txt",),
    unknown_keys_stop=False,
)
