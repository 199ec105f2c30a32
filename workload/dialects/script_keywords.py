"""Tells of keywords that a config does not take: misspelt, or renamed in newer releases."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from workload.dialects.defaults.hugging_face import removed_keyword
from workload.dialects.script_names import HF_CONFIGS
from workload.dialects.script_reader import ScriptReader
from workload.dialects.script_values import Slot, Thing
from workload.dialects.yaml_keys import nearest_key
from workload.versions import KNOWN, is_at_least

_FOLDER = Path(__file__).parent / "keys"
_OLDER = frozenset(
    {
        "evaluation_strategy",
        "xpu_backend",
        "sharded_ddp",
        "dispatch_batches",
        "split_batches",
        "per_gpu_train_batch_size",
        "gradient_checkpointing_kwargs",
        "embedding_learning_rate",
    }
)
"""Keywords of releases before those listed in `keys/`, and of Unsloth's own config."""
_SEQ2SEQ = frozenset(
    {
        "predict_with_generate",
        "generation_max_length",
        "generation_num_beams",
        "generation_config",
        "sortish_sampler",
    }
)
_LISTED = frozenset({"SFTConfig", "DPOConfig", "GRPOConfig", "KTOConfig", "RewardConfig"})
"""TRL configs whose keywords are listed in full."""
RENAMED: dict[str, tuple[str, str, str]] = {
    "torch_dtype": ("dtype", "transformers", "4.56"),
    "use_flash_attention_2": ("attn_implementation", "transformers", "4.36"),
    "tokenizer": ("processing_class", "transformers", "4.46"),
}
"""Old name -> new name, and the release of which package that made it old (configs.md section 3,
`legacy_aliases` of the field map)."""


@cache
def known_keywords() -> frozenset[str]:
    """Every keyword of the argument classes, across the releases that were read."""
    files = (_FOLDER / "transformers.txt", _FOLDER / "trl.txt")
    words = (word for file in files for word in file.read_text(encoding="utf-8").split())
    return frozenset(words) | _OLDER | _SEQ2SEQ


def check_keywords(reader: ScriptReader) -> None:
    """Notices of keywords that the read run's calls would refuse or have under a newer name."""
    run = reader.run
    version = reader.versions.get("transformers") or KNOWN["transformers"][-1]
    for thing in (run.config, run.trainer, run.model):
        if thing is None:
            continue
        for keyword, slot in run.entries(thing).items():
            if not isinstance(slot.holder, ast.keyword):
                continue
            _renamed(reader, thing, keyword, slot)
            if thing is run.config:
                _unknown(reader, thing, keyword, slot)
                gone = removed_keyword(keyword, version)
                if gone is not None:
                    reader.notice("deprecated", gone, slot.holder.lineno)


def _renamed(reader: ScriptReader, thing: Thing, keyword: str, slot: Slot) -> None:
    new = RENAMED.get(keyword)
    if new is None or thing.name.startswith("Fast"):
        return
    name, package, release = new
    version = reader.versions.get(package) or KNOWN[package][-1]
    if is_at_least(version, release):
        message = f"{keyword} of {thing.name} is {name} from {package} {release} on"
        reader.notice("deprecated", message, slot.holder.lineno if slot.holder else None)


def _unknown(reader: ScriptReader, thing: Thing, keyword: str, slot: Slot) -> None:
    if keyword in known_keywords() or not isinstance(slot.holder, ast.keyword):
        return
    near = nearest_key(keyword, known_keywords())
    listed = thing.name in _LISTED or thing.name in HF_CONFIGS
    if near is None and not listed:
        return
    hint = f"; {near} is meant, probably" if near else ""
    message = f"{keyword} is no argument of {thing.name} that is known{hint}"
    reader.notice("unknown_key", message, slot.holder.lineno)
