"""The words for what a condition can name: card, data, profile, frameworks, topics."""

from __future__ import annotations

from html import escape
from typing import Final

COMPARED: Final = {
    "==": ("is", "is not"),
    "!=": ("is not", "is"),
    "<": ("is below", "is not below"),
    "<=": ("is at most", "is above"),
    ">": ("is above", "is not above"),
    ">=": ("is at least", "is below"),
}
"""Sign -> how it is said where it holds, and where it does not."""
VARIANTS: Final = {
    "as_written": "as the file stands",
    "no_checkpointing": "without checkpointing",
    "unquantized": "without quantisation",
    "unquantized_no_checkpointing": "without quantisation and checkpointing",
    "unfused_optimizer": "with a plain 32-bit optimizer",
    "double_micro_batch": "with twice the micro batch",
}
"""Variant of `Profile.fit` -> words."""
NAMES: Final = {
    "hardware.id": "the card",
    "hardware.name": "the card",
    "hardware.vendor": "the card's maker",
    "hardware.arch": "the card's architecture",
    "hardware.memory_gb": "the card's memory in GB",
    "hardware.generation": "the card's generation",
    "lengths.p50": "the length that half of the samples stay under",
    "lengths.p95": "the length that 95% of the samples stay under",
    "lengths.max": "the longest sample",
    "lengths.origin": "where the data lengths come from",
    "profile.micro_batch_max": "the largest micro batch that fits",
    "profile.padding_efficiency": "the share of real tokens in a batch",
    "framework": "the framework",
    "format": "the format of the file",
    "gpus": "the number of GPUs per node",
    "nodes": "the number of nodes",
    **{
        f"profile.fit.{variant}.share": f"the projected peak memory {words}"
        for variant, words in VARIANTS.items()
    },
    **{
        f"profile.fit.{variant}.{figure}": f"the {word} peak memory {words} in GB"
        for variant, words in VARIANTS.items()
        for figure, word in (("peak_gb", "projected"), ("high_gb", "highest likely"))
    },
}
"""Figure -> words; a field that is not here is shown by its own name."""
SHARES: Final = {
    "profile.padding_efficiency": "",
    **{f"profile.fit.{variant}.share": " of the card" for variant in VARIANTS},
}
"""Figures of 0 to 1 that are said in percent, and of what."""
SWITCHES: Final = {
    "hardware.bf16": ("the card has bf16", "the card has no bf16"),
    "versions_stated": ("the versions are stated", "the versions are not stated"),
}
"""Figure that is true or false -> how each is said."""
FRAMEWORKS: Final = {
    "trl": "TRL",
    "hf": "Transformers",
    "axolotl": "axolotl",
    "llamafactory": "LLaMA-Factory",
    "torchtune": "torchtune",
    "accelerate": "accelerate",
    "deepspeed": "DeepSpeed",
    "torch": "PyTorch",
    "open-instruct": "open-instruct",
    "nemo_rl": "NeMo RL",
    "litgpt": "LitGPT",
    "primus": "Primus",
    "peft": "PEFT",
    "ms-swift": "ms-swift",
    "verl_sft": "verl",
    "unsloth": "Unsloth",
    "openrlhf": "OpenRLHF",
}
"""Framework id -> its own spelling."""
VENDORS: Final = {"amd": "AMD", "nvidia": "NVIDIA", "cpu": "CPU"}
TOPICS: Final = {
    "correct": "Correct training",
    "precision": "Precision",
    "attention": "Attention",
    "memory": "Memory",
    "batch": "Batch",
    "data": "Data",
    "optim": "Optimizer",
    "quant": "Quantisation",
    "kernels": "Kernels",
    "compile": "Compilation",
    "tuning": "Matrix products",
    "parallel": "Several GPUs",
    "collectives": "Collectives",
    "env": "Environment variables",
    "system": "System",
    "names": "Names the library knows",
    "logging": "Logging",
}
"""Topic, which is a file of kb/rules (or system, which has facts only) -> heading."""
AREAS: Final = {
    "batching": "batch",
    "checkpointing": "memory",
    "correctness": "correct",
    "gemm_tuning": "tuning",
    "library_support": "names",
    "nvidia_attention": "attention",
    "nvidia_collectives": "collectives",
    "nvidia_memory": "memory",
    "nvidia_precision": "precision",
    "nvidia_system": "system",
    "optimizer": "optim",
    "parallelism": "parallel",
    "quantization": "quant",
}
"""File of kb/facts -> its topic, where the two are not called the same."""


def field_code(name: str) -> str:
    """A field's name as code; a variable without the `env.` before it."""
    return f"<code>{escape(name.removeprefix('env.').removeprefix('env:'))}</code>"


def topic_of(entry_id: str) -> str:
    """The topic of a rule or fact: the first word of its id."""
    area = entry_id.partition(".")[0]
    return AREAS.get(area, area)
