"""How a DeepSpeed config is read and edited: its key table.

Keys and defaults: deepspeed 0.19.8, runtime/constants.py, runtime/config.py, runtime/zero/config.py
and runtime/precision_config.py. A value "auto" is left to transformers or accelerate.
"""

from __future__ import annotations

from workload.dialects import Detection
from workload.dialects.deepspeed_edits import SPECIALS
from workload.dialects.deepspeed_fields import SCHEDULERS, finish
from workload.dialects.json_dialect import JsonDialect
from workload.dialects.yaml_table import Key

TABLE = (
    Key("train_batch_size", ("train_batch_size",)),
    Key("per_device_train_batch_size", ("train_micro_batch_size_per_gpu",)),
    Key("gradient_accumulation_steps", ("gradient_accumulation_steps",)),
    Key("max_grad_norm", ("gradient_clipping",)),
    Key("logging_steps", ("steps_per_print",)),
    Key("optimizer", ("optimizer.type",)),
    Key("learning_rate", ("optimizer.params.lr",)),
    Key("weight_decay", ("optimizer.params.weight_decay",)),
    Key("lr_scheduler", ("scheduler.type",), words=SCHEDULERS),
    Key("warmup_steps", ("scheduler.params.warmup_num_steps",)),
    Key("bf16", ("bf16.enabled", "bfloat16.enabled"), default=False),
    Key("fp16", ("fp16.enabled",), default=False),
    Key("deepspeed_stage", ("zero_optimization.stage",), default=0),
    Key("offload_optimizer", ("zero_optimization.offload_optimizer.device",), default=None),
    Key("offload_param", ("zero_optimization.offload_param.device",), default=None),
    Key("tensor_parallel_size", ("tensor_parallel.autotp_size",)),
    Key("context_parallel_size", ("sequence_parallel_size",)),
)


def recognise(keys: frozenset[str]) -> Detection:
    """The ZeRO block or DeepSpeed's own batch key, else several keys that only DeepSpeed has."""
    own = keys & {
        "zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size",
        "gradient_clipping", "steps_per_print", "wall_clock_breakdown", "prescale_gradients",
        "fp16", "bf16", "zero_allow_untested_optimizer", "flops_profiler", "compression_training",
        "activation_checkpointing", "scheduler", "optimizer", "data_efficiency", "aio",
    }  # fmt: skip
    telling = own & {"zero_optimization", "train_micro_batch_size_per_gpu"}
    if telling or (len(own) >= 2 and own & {"steps_per_print", "prescale_gradients", "fp16"}):
        score = min(0.95, 0.6 + 0.2 * bool(telling) + 0.05 * len(own))
        return Detection(score, f"DeepSpeed: {', '.join(sorted(telling or own)[:3])}")
    return Detection(0.0, "no DeepSpeed keys")


DEEPSPEED = JsonDialect(
    format="deepspeed_json",
    framework="deepspeed",
    loader="pyyaml",
    table=TABLE,
    packages=("deepspeed",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("deepspeed.txt",),
    unknown_keys_stop=False,
)
