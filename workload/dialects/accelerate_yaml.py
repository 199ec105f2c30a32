"""How an accelerate config is read and edited: its key table.

Keys and defaults: accelerate 1.15.0, commands/config/config_args.py and commands/launch.py, which
copies `fsdp_config` keys with or without their `fsdp_` prefix.
"""

from __future__ import annotations

from workload.dialects import Detection
from workload.dialects.accelerate_fields import COMPILERS, SPECIALS, finish
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key

TABLE = (
    Key("num_machines", ("num_machines",), default=1),
    Key("num_processes", ("num_processes",)),
    Key("deepspeed_stage", ("deepspeed_config.zero_stage",)),
    Key("offload_optimizer", ("deepspeed_config.offload_optimizer_device",)),
    Key("offload_param", ("deepspeed_config.offload_param_device",)),
    Key("gradient_accumulation_steps", ("deepspeed_config.gradient_accumulation_steps",)),
    Key("max_grad_norm", ("deepspeed_config.gradient_clipping",)),
    Key("fsdp_cpu_offload", ("fsdp_config.fsdp_offload_params", "fsdp_config.offload_params")),
    Key(
        "gradient_checkpointing",
        ("fsdp_config.fsdp_activation_checkpointing", "fsdp_config.activation_checkpointing"),
    ),
    Key("tensor_parallel_size", ("parallelism_config.parallelism_config_tp_size",)),
    Key("context_parallel_size", ("parallelism_config.parallelism_config_cp_size",)),
    Key(
        "torch_compile",
        ("dynamo_config.dynamo_backend", "dynamo_config.backend", "dynamo_backend"),
        default=False,
        words=COMPILERS,
        deprecated={"dynamo_backend": "dynamo_config with dynamo_backend in it"},
    ),
)


def recognise(keys: frozenset[str]) -> Detection:
    """`compute_environment`, or `distributed_type` with another key of a launch."""
    own = keys & {
        "distributed_type", "compute_environment", "mixed_precision", "num_processes",
        "num_machines", "machine_rank", "fsdp_config", "deepspeed_config", "main_training_function",
        "rdzv_backend", "use_cpu", "downcast_bf16", "dynamo_config", "parallelism_config",
        "same_network", "main_process_ip", "main_process_port", "gpu_ids", "fp8_config",
    }  # fmt: skip
    telling = own & {"compute_environment", "distributed_type"}
    if telling and (len(own) > 1 or len(keys) < 3):
        score = min(0.95, 0.7 + 0.05 * len(own))
        return Detection(score, f"accelerate: {', '.join(sorted(telling))}")
    return Detection(0.0, "no accelerate keys")


ACCELERATE = YamlDialect(
    format="accelerate_yaml",
    framework="accelerate",
    loader="pyyaml",
    table=TABLE,
    packages=("accelerate",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("accelerate.txt",),
    unknown_keys_stop=True,
)
