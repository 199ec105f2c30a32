"""The classes that a training script uses, whatever it imports them as."""

from __future__ import annotations

import re
from typing import NamedTuple

HF_CONFIGS: frozenset[str] = frozenset({"TrainingArguments", "Seq2SeqTrainingArguments"})
HF_TRAINERS: frozenset[str] = frozenset({"Trainer", "Seq2SeqTrainer"})

TASK_OF_PREFIX: dict[str, str] = {
    "SFT": "sft",
    "DPO": "dpo",
    "GRPO": "grpo",
    "KTO": "kto",
    "Reward": "reward",
    "RLOO": "rloo",
    "ORPO": "orpo",
    "PPO": "ppo",
    "PPOv2": "ppo",
    "GKD": "kd",
    "PRM": "prm",
    "OnlineDPO": "online_dpo",
    "CPO": "cpo",
    "BCO": "bco",
    "XPO": "xpo",
    "NashMD": "nash_md",
    "IterativeSFT": "sft",
    "AsyncGRPO": "grpo",
    "Distillation": "kd",
    "GOLD": "kd",
    "MiniLLM": "kd",
}
"""`SFT` stands for SFTConfig and SFTTrainer of TRL; the task each of them trains."""

TRL_CONFIGS: dict[str, str] = {f"{prefix}Config": task for prefix, task in TASK_OF_PREFIX.items()}
TRL_TRAINERS: dict[str, str] = {f"{prefix}Trainer": task for prefix, task in TASK_OF_PREFIX.items()}

UNSLOTH_CONFIGS: dict[str, str] = {"UnslothTrainingArguments": "SFTConfig"}
UNSLOTH_TRAINERS: dict[str, str] = {"UnslothTrainer": "SFTTrainer"}
"""Unsloth's own classes and the TRL class each extends."""
UNSLOTH_LOADERS: frozenset[str] = frozenset(
    {"FastLanguageModel", "FastModel", "FastVisionModel", "FastLlamaModel", "FastMistralModel"}
)

ADAPTERS: dict[str, str] = {
    "LoraConfig": "lora",
    "AdaLoraConfig": "adalora",
    "LoHaConfig": "loha",
    "LoKrConfig": "lokr",
    "IA3Config": "ia3",
    "OFTConfig": "oft",
    "BOFTConfig": "boft",
    "VeraConfig": "vera",
    "PromptTuningConfig": "prompt",
    "PrefixTuningConfig": "prefix",
    "PromptEncoderConfig": "prompt",
    "AdaptionPromptConfig": "llama-adapter",
    "LNTuningConfig": "ln_tuning",
    "FourierFTConfig": "fourierft",
    "RandLoraConfig": "randlora",
}
"""PEFT config class -> finetune_method."""

QUANTIZATIONS: frozenset[str] = frozenset(
    {
        "BitsAndBytesConfig",
        "GPTQConfig",
        "AwqConfig",
        "HqqConfig",
        "QuantoConfig",
        "TorchAoConfig",
        "Mxfp4Config",
        "EetqConfig",
        "FineGrainedFP8Config",
    }
)
PARSERS: frozenset[str] = frozenset({"HfArgumentParser", "TrlParser", "H4ArgumentParser"})
COMMAND_LINE: frozenset[str] = frozenset({"ModelConfig", "ScriptArguments", "ModelArguments"})
"""Dataclasses that only a parser fills."""

FROM_COMMAND_LINE = "read from the command line"
"""Why a field is unknown that a parser of the script fills."""
_MODEL = re.compile(r"AutoModel\w*|AutoLigerKernelFor\w+|\w+For[A-Z]\w*|\w*(?:LMHead|Peft)Model")
"""Model classes of transformers and its kin, by the way they are all named."""
_PACKAGE_OF: dict[str, str] = {
    **dict.fromkeys(HF_CONFIGS | HF_TRAINERS | QUANTIZATIONS, "transformers"),
    **dict.fromkeys((*TRL_CONFIGS, *TRL_TRAINERS), "trl"),
    **dict.fromkeys((*UNSLOTH_CONFIGS, *UNSLOTH_TRAINERS, *UNSLOTH_LOADERS), "unsloth"),
    **dict.fromkeys((*ADAPTERS, "get_peft_model", "prepare_model_for_kbit_training"), "peft"),
    "AutoModelForCausalLM": "transformers",
    "AutoTokenizer": "transformers",
    "HfArgumentParser": "transformers",
    "TrlParser": "trl",
    "load_dataset": "datasets",
    "get_ipython": "IPython",
    "torch": "torch",
    "os": "os",
}
"""Names so well known that a pasted fragment may use them without its imports."""


class Named(NamedTuple):
    """What an imported name is to a training script."""

    kind: str
    """config, trainer, model, adapter, quantization, tokenizer, parser, unsloth or ''."""
    name: str
    """The class it counts as: `SFTConfig` for `UnslothTrainingArguments`."""


def well_known(name: str) -> str | None:
    """The dotted name behind a name that the text uses without importing it."""
    package = _PACKAGE_OF.get(name)
    if package is None:
        return None
    return name if package == name else f"{package}.{name}"


def classify(dotted: str) -> Named:
    """What a class is, by its package and its own name; submodules do not matter.

    >>> classify("trl.trainer.sft_config.SFTConfig")
    Named(kind='config', name='SFTConfig')
    """
    package, _, rest = dotted.partition(".")
    name = rest.rpartition(".")[2]
    return Named(
        _kind(package, name), UNSLOTH_CONFIGS.get(name) or UNSLOTH_TRAINERS.get(name, name)
    )


def _kind(package: str, name: str) -> str:
    for kind, packages, names in _CLASSES:
        if package in packages and name in names:
            return kind
    if package == "trl" and name.endswith(("Trainer", "Config")):
        return "trainer" if name.endswith("Trainer") else "config"
    if package in ("transformers", "trl", "liger_kernel", "peft", "modelscope", "optimum"):
        if _MODEL.fullmatch(name):
            return "model"
        if name.endswith(("Tokenizer", "TokenizerFast", "Processor")):
            return "tokenizer"
    return ""


_CLASSES: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("config", frozenset({"transformers"}), HF_CONFIGS),
    ("config", frozenset({"trl"}), frozenset(TRL_CONFIGS)),
    ("config", frozenset({"unsloth"}), frozenset(UNSLOTH_CONFIGS)),
    ("trainer", frozenset({"transformers"}), HF_TRAINERS),
    ("trainer", frozenset({"trl"}), frozenset(TRL_TRAINERS)),
    ("trainer", frozenset({"unsloth"}), frozenset(UNSLOTH_TRAINERS)),
    ("unsloth", frozenset({"unsloth"}), UNSLOTH_LOADERS),
    ("adapter", frozenset({"peft"}), frozenset(ADAPTERS)),
    ("quantization", frozenset({"transformers", "diffusers"}), QUANTIZATIONS),
    ("parser", frozenset({"transformers", "trl", "alignment"}), PARSERS),
    ("arguments", frozenset({"trl", "alignment"}), COMMAND_LINE),
)


def task_of(name: str) -> str | None:
    """The task that a TRL config or trainer trains; None for the plain Trainer."""
    return TRL_CONFIGS.get(name) or TRL_TRAINERS.get(name)
