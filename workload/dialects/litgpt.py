"""How a LitGPT YAML is read and edited: its key table.

Keys and defaults: github:Lightning-AI/litgpt@2685705 (0.5.13), litgpt/args.py and the `setup`
functions of litgpt/finetune/ and litgpt/pretrain.py. The subcommand stands on the launch line.
"""

from __future__ import annotations

from workload.dialects import Detection
from workload.dialects.litgpt_edits import SPECIALS
from workload.dialects.litgpt_fields import PRECISIONS, finish
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import Key

TABLE = (
    Key("model_id", ("checkpoint_dir", "model_name")),
    Key("model_load_dtype", ("precision",), words=PRECISIONS, closed=True),
    Key("num_processes", ("devices",), default=1),
    Key("num_machines", ("num_nodes",), default=1),
    Key("lora_r", ("lora_r",), default=8),
    Key("lora_alpha", ("lora_alpha",), default=16),
    Key("lora_dropout", ("lora_dropout",), default=0.05),
    Key("dataloader_num_workers", ("data.init_args.num_workers",)),
    Key("eval_split", ("data.init_args.val_split_fraction",)),
    Key("save_steps", ("train.save_interval",), default=1000),
    Key("logging_steps", ("train.log_interval",), default=1),
    Key("train_batch_size", ("train.global_batch_size",), default=16),
    Key("per_device_train_batch_size", ("train.micro_batch_size",), default=1),
    Key("warmup_steps", ("train.lr_warmup_steps",), default=100),
    Key("num_epochs", ("train.epochs",), default=5),
    Key("max_steps", ("train.max_steps",), default=None),
    Key("max_seq_len", ("train.max_seq_length",), default=None),
    Key("max_grad_norm", ("train.max_norm",), default=None),
    Key("eval_steps", ("eval.interval",), default=100),
    Key("seed", ("seed",), default=1337),
    Key("learning_rate", ("optimizer.init_args.lr",)),
    Key("weight_decay", ("optimizer.init_args.weight_decay",)),
)


def recognise(keys: frozenset[str]) -> Detection:
    """The arguments of LitGPT's `finetune` and `pretrain` commands."""
    own = keys & {
        "train", "eval", "data", "optimizer", "precision", "devices", "num_nodes", "logger_name",
        "out_dir", "quantize", "lora_query", "lora_value", "lora_projection", "lora_mlp",
        "initial_checkpoint_dir", "tokenizer_dir", "model_config", "lora_head",
    }  # fmt: skip
    named = keys & {"checkpoint_dir", "model_name"}
    if named and "train" in keys and len(own) >= 3 and "model" not in keys:
        score = min(0.98, 0.6 + 0.05 * len(own))
        return Detection(score, f"LitGPT: {', '.join(sorted(named | own)[:4])}")
    return Detection(0.0, "no LitGPT keys")


LITGPT = YamlDialect(
    format="litgpt_yaml",
    framework="litgpt",
    loader="pyyaml",
    table=TABLE,
    packages=("litgpt",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("litgpt.txt",),
    unknown_keys_stop=True,
)
"""jsonargparse reads with PyYAML's loader, and takes `1e-5` for a number as our fields do."""
