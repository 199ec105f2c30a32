"""Which TRL trainer a recipe is for: the script decides it, so the keys can only suggest it."""

from __future__ import annotations

import re
from typing import NamedTuple

from workload.splice.yaml_document import Document

CONFIG_OF = {
    "sft": "SFTConfig",
    "dpo": "DPOConfig",
    "orpo": "DPOConfig",
    "kto": "KTOConfig",
    "reward": "RewardConfig",
    "grpo": "GRPOConfig",
    "rloo": "RLOOConfig",
}
"""Task -> the config class whose defaults hold; those of ORPOConfig were like DPOConfig's."""
ONLINE = (
    "num_generations", "reward_funcs", "max_completion_length", "use_vllm", "vllm_mode",
    "num_iterations", "reward_weights", "scale_rewards", "epsilon_high", "log_completions",
)  # fmt: skip
PREFERENCE = (
    "max_prompt_length", "beta", "rpo_alpha", "precompute_ref_log_probs", "label_smoothing",
    "ref_model_init_kwargs", "sync_ref_model", "force_use_ref_model", "reference_free",
)  # fmt: skip
NAMES = ("hub_model_id", "output_dir", "run_name")
_WORD = re.compile(r"(?<![a-z])(sft|dpo|orpo|kto|grpo|rloo)(?![a-z])")


class Guess(NamedTuple):
    """A task and the reason for it."""

    task: str
    why: str


def guess_task(document: Document) -> Guess:
    """The task that the keys suggest; among preference trainers the run's own name decides."""
    held = {place.path for place in document.places() if document.plain(place.value) is not None}
    online = [name for name in ONLINE if name in held]
    named = _named(document)
    if len(online) >= 2 or (online and online[0] in ("num_generations", "reward_funcs")):
        task = "rloo" if named == "rloo" else "grpo"
        return Guess(task, f"the keys {', '.join(online[:3])}")
    if held & {"desirable_weight", "undesirable_weight"}:
        return Guess("kto", "the keys desirable_weight and undesirable_weight")
    if "center_rewards_coefficient" in held:
        return Guess("reward", "the key center_rewards_coefficient")
    pairs = [name for name in PREFERENCE if name in held]
    if pairs:
        task = named if named in ("orpo", "kto") else "dpo"
        return Guess(task, f"the keys {', '.join(pairs[:3])}")
    if named in ("dpo", "orpo", "kto", "grpo", "rloo"):
        return Guess(named, "the run's own name")
    return Guess("sft", "no key of another trainer")


def _named(document: Document) -> str | None:
    for key in NAMES:
        found = _WORD.findall(str(document.value(key) or "").lower())
        if found:
            return str(found[-1])
    return None
