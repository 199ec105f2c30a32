"""Which framework a launch line trains with: by its subcommand, module or script, and its options.

A line that serves, exports, evaluates or prepares is none; a script of one's own counts where its
name or its options say that it trains.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from workload.bundle import base_name
from workload.dialects import load_dialect
from workload.dialects.launch_document import names_of
from workload.dialects.launch_line import Flag, Launch
from workload.dialects.shell_values import Field
from workload.dialects.yaml_dialect import YamlDialect
from workload.normalise import canonical

TRAINING = frozenset(
    {
        "per_device_train_batch_size", "num_train_epochs", "learning_rate", "max_steps", "lr",
        "gradient_accumulation_steps", "lr_scheduler_type", "warmup_ratio", "warmup_steps",
        "weight_decay", "max_train_steps", "gradient_checkpointing", "train_batch_size",
        "micro_batch_size", "global_batch_size", "lora_r", "lora_rank", "epochs", "num_epochs",
        "train_micro_batch_size_per_gpu", "per_device_batch_size", "batch_size",
    }
)  # fmt: skip
"""Options that only a training run has."""
_TRL_OWN = frozenset(
    {
        "packing", "dataset_text_field", "use_peft", "dataset_num_proc", "completion_only_loss",
        "assistant_only_loss", "max_prompt_length", "max_completion_length", "num_generations",
        "dataset_train_split", "dataset_test_split", "reward_funcs", "loss_type", "padding_free",
        "packing_strategy", "eos_token", "use_liger_loss",
    }
)  # fmt: skip
_NAME = re.compile(
    r"(?:^|[^a-z])(?:train\w*|pretrain\w*|fine_?tun\w*|sft\w*|dpo\w*|grpo\w*|ppo\w*|kto\w*|orpo\w*|"
    r"rlhf\w*|lora\w*|qlora\w*|run_clm\w*|run_\w*sft\w*|\w*_train(?:er)?|\w*finetune\w*)(?:$|[^a-z])"
)
_TASKS = (("grpo", "grpo"), ("dpo", "dpo"), ("kto", "kto"), ("orpo", "orpo"), ("rloo", "rloo"),
          ("ppo", "ppo"), ("reward", "reward"), ("_rm", "reward"), ("gkd", "kd"),
          ("pretrain", "pretrain"), ("sft", "sft"))  # fmt: skip
_YAML = re.compile(r"\.(?:ya?ml|json)$", re.IGNORECASE)


HF_OWN = frozenset(
    {
        "save_strategy", "logging_steps", "save_total_limit", "report_to", "overwrite_output_dir",
        "do_train", "evaluation_strategy", "eval_strategy", "tf32", "ddp_timeout", "bf16_full_eval",
        "logging_strategy", "ddp_find_unused_parameters", "remove_unused_columns", "optim",
        "half_precision_backend", "logging_first_step", "push_to_hub", "load_best_model_at_end",
    }
)  # fmt: skip
"""Options of transformers' TrainingArguments that other programs hardly have."""


class Program(NamedTuple):
    """What a launch line trains with."""

    dialect: YamlDialect
    framework: str
    nested: bool = False
    """Dots in option names are blocks."""
    task: str | None = None
    task_stated: bool = False
    config: Flag | Field | None = None
    """The config file that the line names."""
    scripted: bool = False
    """The program is a script of one's own: its defaults are not known."""
    sure: bool = True
    """Its options are those of transformers' argument classes."""
    method: str | None = None
    """The method that the script's name tells."""


def find_program(launch: Launch) -> Program | None:
    """What a launch line trains with; None where it trains nothing."""
    if launch.launcher in _COMMANDS:
        return _COMMANDS[launch.launcher](launch)
    name = launch.program.removesuffix(".py").replace("\\", "/")
    dotted = name.replace("/", ".")
    for part, choose in _MODULES:
        if part in dotted:
            return choose(launch)
    names = names_of(launch.flags)
    if {"stage", "finetuning_type"} <= names or {"stage", "do_train"} <= names:
        return _llamafactory(launch, any_subcommand=True)
    last = name.rpartition("/")[2].rpartition(".")[2].lower()
    known = names & TRAINING
    if not known and not _NAME.search(last):
        return None
    if any(word in last for word in ("infer", "eval", "serve", "export", "convert", "merge")):
        return None
    return _script(launch, last)


def _table(name: str) -> YamlDialect:
    table: YamlDialect = getattr(import_module("workload.dialects.flag_tables"), name)
    return table


def _dialect(format_id: str) -> YamlDialect:
    dialect = load_dialect(format_id)
    if not isinstance(dialect, YamlDialect):
        raise TypeError(format_id)
    return dialect


def _config(launch: Launch, *names: str) -> Flag | Field | None:
    """The config file that an option, or the first argument, names."""
    flag = launch.flag(*names) if names else None
    if flag is not None and flag.values:
        return flag
    first = launch.positional[0] if launch.positional else None
    return first if first is not None and _YAML.search(first.text or "") else None


def _task_in(name: str) -> str | None:
    return next((task for word, task in _TASKS if word in name), None)


def _llamafactory(launch: Launch, *, any_subcommand: bool = False) -> Program | None:
    if launch.program != "train" and not any_subcommand:
        return None
    return Program(_dialect("llamafactory_yaml"), "llamafactory", config=_config(launch))


def _swift(launch: Launch) -> Program | None:
    command = launch.program.removesuffix(".py").replace("/", ".").rpartition(".")[2]
    if command not in ("sft", "pt", "rlhf"):
        return None
    task = {"sft": "sft", "pt": "pretrain"}.get(command)
    if command == "rlhf":
        kind = launch.flag("rlhf_type")
        word = kind.values[0].text if kind is not None and kind.values else None
        task = "dpo" if kind is None else None if word is None else str(canonical("task", word))
    kind = launch.flag("task_type")
    word = kind.values[0].text if kind is not None and kind.values else None
    if kind is not None and word != "causal_lm":
        task = None if word is None else {"seq_cls": "classification"}.get(word, word)
    megatron = launch.launcher == "megatron" or "megatron" in launch.program
    table = _table("MEGATRON_SWIFT" if megatron else "SWIFT")
    return Program(table, "ms-swift", False, task, True, _config(launch, "config"))


def _trl(launch: Launch) -> Program | None:
    if launch.program in ("vllm-serve", "chat", "env", "skills"):
        return None
    task = _task_in(launch.program.lower())
    return Program(
        _dialect("trl_recipe_yaml"), "trl", False, task, task is not None, _config(launch, "config")
    )


def _axolotl(launch: Launch) -> Program | None:
    if launch.launcher == "axolotl" and launch.program != "train":
        return None
    return Program(_dialect("axolotl_yaml"), "axolotl", config=_config(launch))


def _tune(launch: Launch) -> Program | None:
    if "generate" in launch.program or "eval" in launch.program or "quantize" in launch.program:
        return None
    task = _task_in(launch.program) or ("sft" if "finetune" in launch.program else None)
    config = launch.flag("config")
    return Program(_dialect("torchtune_yaml"), "torchtune", True, task, False, config)


def _litgpt(launch: Launch) -> Program | None:
    if not launch.program.startswith(("finetune", "pretrain")):
        return None
    task = "pretrain" if launch.program.startswith("pretrain") else "sft"
    return Program(_dialect("litgpt_yaml"), "litgpt", True, task, True, launch.flag("config"))


def _verl(launch: Launch) -> Program | None:
    last = launch.program.removesuffix(".py").replace("/", ".").rpartition(".")[2]
    if not (last.startswith("main_") or last.endswith(("main", "trainer"))):
        return None
    if last in ("main_eval", "main_generation") or not launch.flags:
        return None
    task = "sft" if "sft" in last else None
    config = launch.flag("config_name")
    return Program(_dialect("verl_yaml"), "verl_sft", True, task, task is not None, config)


def _openrlhf(launch: Launch) -> Program | None:
    name = launch.program.rpartition(".")[2].rpartition("/")[2]
    if not name.startswith("train"):
        return None
    task = _task_in(name)
    return Program(_table("OPENRLHF"), "openrlhf", True, task, task is not None)


def _open_instruct(launch: Launch) -> Program | None:
    name = launch.program.rpartition("/")[2]
    if not name.startswith(("finetune", "dpo_tune")):
        found = _script(launch, name.lower()) if _NAME.search(name) else None
        return None if found is None else found._replace(framework="open-instruct", sure=False)
    task = "dpo" if name.startswith("dpo") else "sft"
    config = launch.positional[0] if launch.positional else None
    named = config if config is not None and _YAML.search(config.text or "") else None
    return Program(_dialect("openinstruct_yaml"), "open-instruct", False, task, True, named)


def find_script(launch: Launch) -> Program | None:
    """What a line trains with that starts a script which is known to train."""
    if launch.launcher in _COMMANDS:
        return None
    return _script(launch, base_name(launch.program).removesuffix(".py").lower())


def _script(launch: Launch, name: str) -> Program | None:
    """A script of one's own: TRL where its options are TRL's alone."""
    names = names_of(launch.flags)
    sure = bool(names & HF_OWN) and len(names & TRAINING) >= 2
    trl = bool(names & _TRL_OWN) or "trl" in launch.program.lower().split("/")
    task = _task_in(name) or ("sft" if names & {"dataset_text_field", "packing"} else None)
    config = _config(launch, "config")
    if isinstance(config, Flag) and not _YAML.search(config.values[0].text or ""):
        config = None
    return Program(
        _table("SCRIPT"),
        "trl" if trl else "hf",
        False,
        task or "sft",
        False,
        config,
        True,
        sure,
        "qlora" if "qlora" in name else "lora" if "lora" in name else None,
    )


def _none(launch: Launch) -> Program | None:
    return None


_COMMANDS: dict[str, Callable[[Launch], Program | None]] = {
    "llamafactory-cli": _llamafactory,
    "lmf": _llamafactory,
    "swift": _swift,
    "megatron": _swift,
    "trl": _trl,
    "axolotl": _axolotl,
    "tune": _tune,
    "litgpt": _litgpt,
    "xtuner": _none,
    "autotrain": _none,
}
_MODULES: tuple[tuple[str, Callable[[Launch], Program | None]], ...] = (
    ("swift.cli.", _swift),
    ("axolotl.cli.train", _axolotl),
    ("verl.trainer", _verl),
    ("verl.experimental", _verl),
    ("recipe.", _verl),
    ("openrlhf.cli", _openrlhf),
    ("open_instruct.", _open_instruct),
    ("llamafactory.launcher", lambda launch: _llamafactory(launch, any_subcommand=True)),
    ("trl.scripts.", lambda launch: _script(launch, launch.program.lower())),
)
