"""The verl fields that follow from several keys: task, LoRA, lengths, precision, generation.

Rules: github:volcengine/verl@b178a3c (0.8.0.dev), verl/trainer/fsdp_sft_trainer.py and the PPO
trainer's configs.
"""

from __future__ import annotations

from audit.records.base import Json
from workload.dialects.hydra import HydraDocument
from workload.dialects.layers import tell_missing
from workload.dialects.yaml_table import FieldReader
from workload.splice.yaml_document import Document, Place

OWN_FILES = frozenset(
    {
        "ppo_trainer", "ppo_megatron_trainer", "sft_trainer", "sft_trainer_engine", "actor",
        "dp_actor", "megatron_actor", "legacy_data", "reward_manager", "ref", "dp_ref", "rollout",
        "megatron_ref", "hf_model", "critic", "dp_critic", "megatron_critic", "dp_reward_loop",
        "dp_reward_model", "megatron_reward_loop", "megatron_reward_model", "reward_model",
        "rollout_correction", "fsdp", "megatron", "veomni", "profiler", "npu_profile",
    }
)  # fmt: skip
"""Files of verl/trainer/config: their values are the defaults of the key tables."""
ESTIMATORS = {"gae": "ppo", "grpo": "grpo", "rloo": "rloo", "gdpo": "gdpo"}
GENERATION = {
    "num_generations": ("actor_rollout_ref.rollout.n", 1),
    "max_completion_length": ("data.max_response_length", 512),
    "beta": ("actor_rollout_ref.actor.kl_loss_coef", 0.001),
    "vllm_gpu_memory_utilization": ("actor_rollout_ref.rollout.gpu_memory_utilization", 0.5),
}


def is_rl(document: Document) -> bool:
    """Whether the file is for the PPO trainer, by its blocks or what it is built on."""
    if document.place("actor_rollout_ref") is not None:
        return True
    missing = document.missing if isinstance(document, HydraDocument) else []
    return any(name.startswith("ppo_") for name, _ in missing)


def foreign(missing: list[tuple[str, Place]]) -> list[tuple[str, Place]]:
    """Missing files that are not verl's own."""
    return [one for one in missing if one[0].removesuffix(".yaml") not in OWN_FILES]


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    document = reader.document
    if isinstance(document, HydraDocument):
        tell_missing(reader, foreign(document.missing))
    rl = is_rl(document)
    model = "actor_rollout_ref.model" if rl else "model"
    _task(reader, rl)
    _lora(reader, model)
    why = "verl runs the model under bf16 autocast and mixed precision"
    reader.derived("bf16", True, why)
    fused = document.value(f"{model}.use_fused_kernels") is True
    reader.derived("fused_kernels", ["verl"] if fused else [], f"{model}.use_fused_kernels")
    reader.default("attn_implementation", "flash_attention_2")
    reader.default("optimizer", "adamw_torch")
    reader.derived("fsdp", _strategy(document, rl).startswith("fsdp"), "the strategy key")
    if rl:
        _generation(reader)
    else:
        _batches(reader)


def _strategy(document: Document, rl: bool) -> str:
    path = "actor_rollout_ref.actor.strategy" if rl else "model.strategy"
    value = document.value(path) or document.value("engine.strategy")
    missing = document.missing if isinstance(document, HydraDocument) else []
    usual = "megatron" if any("megatron" in name for name, _ in missing) else "fsdp"
    return value if isinstance(value, str) else usual


def _task(reader: FieldReader, rl: bool) -> None:
    place = reader.document.place("algorithm.adv_estimator")
    value = reader.document.plain(place.value) if place is not None else None
    if rl and place is not None and isinstance(value, str):
        reader.stated("task", place, ESTIMATORS.get(value, value))
    elif rl:
        why = "algorithm.adv_estimator is not in the file; gae is verl's default"
        reader.assumed("task", "ppo", why)
    else:
        reader.derived("task", "sft", "the keys of the SFT trainer")


def _lora(reader: FieldReader, model: str) -> None:
    """lora_rank 0 is no LoRA at all."""
    place = reader.document.place(f"{model}.lora_rank")
    rank = reader.document.plain(place.value) if place is not None else 0
    if place is None or not rank:
        if place is not None:
            reader.stated("finetune_method", place, "full")
        else:
            reader.default("finetune_method", "full")
        return
    reader.stated("finetune_method", place, "lora")
    reader.stated("lora_r", place, rank)
    for name, key, default in (
        ("lora_alpha", "lora_alpha", 16),
        ("lora_target_modules", "target_modules", "all-linear"),
    ):
        at = reader.document.place(f"{model}.{key}")
        if at is not None:
            reader.stated(name, at, reader.document.plain(at.value))
        else:
            reader.default(name, default)


def _generation(reader: FieldReader) -> None:
    document = reader.document
    lengths = [document.value(f"data.max_{part}_length") for part in ("prompt", "response")]
    lengths = [512 if length is None else length for length in lengths]
    why = "data.max_prompt_length + data.max_response_length"
    if all(isinstance(length, int) for length in lengths):
        reader.derived("max_seq_len", sum(lengths), why)
    else:
        reader.unknown("max_seq_len", f"{why}, one of which is not in the uploaded files")
    place = document.place("actor_rollout_ref.actor.fsdp_config.optimizer_offload")
    if place is not None:
        on = document.plain(place.value) is True
        reader.stated("offload_optimizer", place, "cpu" if on else "none")
    if reader.value("task") not in ("grpo", "rloo", "gdpo"):
        return
    block: dict[str, Json] = {}
    for name, (path, default) in GENERATION.items():
        value = document.value(path)
        if not isinstance(value, str):
            block[name] = default if value is None else value
    block["use_vllm"] = document.value("actor_rollout_ref.rollout.name") == "vllm"
    reader.derived("grpo_block", block, "the rollout and actor keys and verl's defaults")


def _batches(reader: FieldReader) -> None:
    """The global batch is the effective one; accumulation follows from the ranks."""
    total, micro = reader.value("train_batch_size"), reader.value("per_device_train_batch_size")
    if not isinstance(total, int):
        return
    reader.derived("effective_batch", total, "data.train_batch_size counts all ranks")
    names = ("num_processes", "num_machines", "context_parallel_size")
    counts = [reader.value(name) for name in names]
    if not all(isinstance(count, int) for count in (micro, *counts)):
        return
    ranks = max(1, counts[0] * counts[1] // counts[2])
    if total % (micro * ranks) == 0:
        why = "train_batch_size / micro_batch_size_per_gpu / data-parallel ranks"
        reader.derived("gradient_accumulation_steps", total // (micro * ranks), why)
