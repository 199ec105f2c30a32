"""Mechanical faults: what is done to a file, on which card, and the rule that must find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from audit.records.base import Json
from audit.records.workload import Workload
from kb.catalog.models import Model, find_model
from kb.catalog.parameters import count_parameters


class Fault(NamedTuple):
    """One fault; it is injected only where `where` holds and all its edits can be made."""

    rule: str
    edits: dict[str, Json]
    frameworks: str
    hardware: str = "mi300x"
    gpus: int = 1
    where: Callable[[Workload], bool] = lambda _: True


def _full(work: Workload) -> bool:
    return work.value("finetune_method") == "full"


def _adapter(work: Workload) -> bool:
    return work.value("finetune_method") in ("lora", "qlora")


def _unsharded(work: Workload) -> bool:
    return not work.value("fsdp") and not work.fields.get("deepspeed_stage")


def _sft(work: Workload) -> bool:
    return work.value("task") == "sft"


def _model(work: Workload) -> Model | None:
    name = work.value("model_id")
    return find_model(name) if isinstance(name, str) else None


def _known_model(work: Workload) -> bool:
    return _model(work) is not None


def _small(work: Workload) -> bool:
    """A model below 4 billion parameters with rows of at most 4096 tokens: fits any large card."""
    model, length = _model(work), work.value("max_seq_len")
    short = isinstance(length, int) and length <= 4096
    return model is not None and short and count_parameters(model).total < 4e9


TRAINERS = "axolotl llamafactory trl"
FAULTS: dict[str, Fault] = {
    "tf32 on an AMD card": Fault("precision.tf32_on_rocm", {"tf32": True}, TRAINERS),
    "bf16 and fp16 at once": Fault(
        "precision.both_half_formats", {"bf16": True, "fp16": True}, f"{TRAINERS} deepspeed"
    ),
    "fp16 on an Instinct card": Fault(
        "precision.fp16_on_instinct",
        {"bf16": False, "fp16": True},
        f"{TRAINERS} deepspeed",
        where=lambda work: not work.value("fp8"),
    ),
    "fp16 on an H100": Fault(
        "precision.fp16_on_ampere",
        {"bf16": False, "fp16": True},
        f"{TRAINERS} deepspeed",
        "h100-sxm",
        where=lambda work: not work.value("fp8"),
    ),
    "bf16 on a T4": Fault(
        "precision.bf16_without_hardware",
        {"fp16": False, "bf16": True},
        f"{TRAINERS} deepspeed",
        "t4",
    ),
    "FP8 on an A100": Fault(
        "precision.fp8_without_hardware", {"fp8": True}, "axolotl llamafactory", "a100-80gb"
    ),
    "FP8 for adapters": Fault(
        "precision.fp8_for_adapters", {"fp8": True}, "axolotl llamafactory", where=_adapter
    ),
    "FP8 without compile": Fault(
        "precision.fp8_without_compile",
        {"fp8": True},
        "axolotl torchtune",
        "h100-sxm",
        where=lambda work: _full(work) and not work.value("torch_compile"),
    ),
    "FlashAttention-2 on a T4": Fault(
        "attention.flash_pre_ampere",
        {"attn_implementation": "flash_attention_2"},
        TRAINERS,
        "t4",
    ),
    "FlashAttention-3 on an A100": Fault(
        "attention.flash3_not_hopper",
        {"attn_implementation": "flash_attention_3"},
        TRAINERS,
        "a100-80gb",
    ),
    "FlashAttention-3 on an AMD card": Fault(
        "attention.flash_attention_3_on_rocm",
        {"attn_implementation": "flash_attention_3"},
        TRAINERS,
    ),
    "a CUDA hub kernel on an AMD card": Fault(
        "attention.cuda_only_kernel",
        {"attn_implementation": "kernels-community/flash-attn2"},
        "axolotl trl",
    ),
    "eager attention": Fault(
        "attention.eager",
        {"attn_implementation": "eager"},
        TRAINERS,
        where=lambda work: (
            _known_model(work)
            and "gemma" not in str(work.value("model_id")).lower()
            and not work.value("packing")
            and not work.value("padding_free")
        ),
    ),
    "SDPA for Gemma 2": Fault(
        "attention.gemma2_sdpa",
        {"model_id": "google/gemma-2-9b", "attn_implementation": "sdpa"},
        TRAINERS,
        where=_sft,
    ),
    "xFormers on an AMD card": Fault(
        "attention.xformers_on_instinct", {"attn_implementation": "xformers"}, "axolotl"
    ),
    "SageAttention for full fine-tuning": Fault(
        "attention.sage_full_training",
        {"attn_implementation": "sage"},
        "axolotl",
        "h100-sxm",
        where=_full,
    ),
    "recompute without need": Fault(
        "memory.checkpointing_not_needed",
        {"gradient_checkpointing": True},
        f"{TRAINERS} torchtune open-instruct",
        where=lambda work: _small(work) and not work.value("activation_offloading"),
    ),
    "offloading without need": Fault(
        "memory.offloading_not_needed",
        {"activation_offloading": True},
        "axolotl torchtune trl",
        where=_small,
    ),
    "reentrant checkpointing": Fault(
        "memory.reentrant_checkpointing",
        {"gradient_checkpointing": True, "gradient_checkpointing_reentrant": True},
        TRAINERS,
        where=lambda work: _unsharded(work) and work.value("task") != "ebft",
    ),
    "optimizer states on the host": Fault(
        "memory.states_on_host", {"offload_optimizer": "cpu"}, "deepspeed"
    ),
    "an 8-bit optimizer for adapters": Fault(
        "optim.eight_bit_for_lora",
        {"optimizer": "adamw_bnb_8bit"},
        f"{TRAINERS} torchtune",
        where=lambda work: _adapter(work) and _small(work) and _unsharded(work),
    ),
    "a paged optimizer with room": Fault(
        "optim.paged_with_room",
        {"optimizer": "paged_adamw_32bit"},
        f"{TRAINERS} torchtune",
        where=lambda work: _full(work) and _small(work) and _unsharded(work),
    ),
    "the unfused AdamW": Fault(
        "optim.unfused",
        {"optimizer": "adamw_torch"},
        f"{TRAINERS} torchtune",
        where=lambda work: _full(work) and _unsharded(work),
    ),
    "an optimizer that is gone": Fault(
        "names.removed_optimizer",
        {"optimizer": "adamw_hf"},
        TRAINERS,
        where=lambda work: work.versions.get("transformers", "5").startswith("5"),
    ),
    "micro batch 1": Fault(
        "batch.micro_batch_too_small",
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 16},
        f"{TRAINERS} torchtune open-instruct",
        where=lambda work: (
            _small(work)
            and not work.fields.get("train_batch_size")
            and not work.value("padding_free")
            and work.value("task") not in ("grpo", "ppo", "rloo", "gdpo", "inference")
        ),
    ),
    "packed rows of unequal length": Fault(
        "batch.packed_rows_unequal", {"packing": True, "pad_to_max_length": False}, "axolotl"
    ),
    "batch sizes that disagree": Fault(
        "batch.deepspeed_identity",
        {
            "train_batch_size": 30,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 4,
        },
        "deepspeed",
    ),
    "4 bits without need": Fault(
        "quant.not_needed_to_fit",
        {"quant_bits": 4, "finetune_method": "qlora"},
        "axolotl torchtune litgpt",
        where=lambda work: work.value("finetune_method") == "lora" and _small(work),
    ),
    "8 bits on a V100": Fault(
        "quant.int8_on_volta", {"quant_bits": 8}, "axolotl llamafactory", "v100"
    ),
    "packing without a mask": Fault(
        "correct.packing_mixes_documents",
        {"packing": True, "padding_free": False},
        "llamafactory",
        where=_sft,
    ),
    "neat packing of four rows": Fault(
        "correct.neat_packing_one_row",
        {
            "padding_free": True,
            "attn_implementation": "flash_attention_2",
            "per_device_train_batch_size": 4,
        },
        "llamafactory",
        where=_sft,
    ),
    "a search for unused parameters": Fault(
        "correct.unused_search_with_checkpointing",
        {
            "ddp_find_unused_parameters": True,
            "gradient_checkpointing": True,
            "gradient_checkpointing_reentrant": True,
        },
        "axolotl llamafactory trl",
        gpus=8,
    ),
    "prefetch without workers": Fault(
        "data.prefetch_without_workers",
        {"dataloader_num_workers": 0, "dataloader_prefetch_factor": 2},
        "llamafactory trl",
    ),
    "no loader workers": Fault(
        "data.no_loader_workers", {"dataloader_num_workers": 0}, "llamafactory trl"
    ),
    "pinned memory off": Fault(
        "data.pinned_memory_off", {"dataloader_pin_memory": False}, TRAINERS
    ),
    "one preprocessing process": Fault(
        "data.one_preprocessing_process", {"preprocessing_num_workers": 1}, TRAINERS
    ),
    "a checkpoint every 5 steps": Fault(
        "logging.saves_too_often",
        {"save_steps": 5},
        f"{TRAINERS} torchtune",
        where=lambda work: not 0 < (work.value("max_steps") or 0) <= 200,
    ),
    "an evaluation every 10 steps": Fault(
        "logging.evaluates_too_often",
        {"eval_steps": 10},
        f"{TRAINERS} torchtune litgpt",
        where=lambda work: not 0 < (work.value("max_steps") or 0) <= 200,
    ),
    "gpt-oss in LLaMA-Factory": Fault(
        "attention.gpt_oss_llamafactory", {"model_id": "openai/gpt-oss-20b"}, "llamafactory"
    ),
    "the AITER hub kernel while packing": Fault(
        "attention.aiter_name_cannot_pack",
        {"packing": True, "attn_implementation": "kernels-community/aiter-flash-attn"},
        "axolotl",
    ),
    "Gemma 3 compiled on Radeon": Fault(
        "compile.gemma3_on_radeon",
        {"model_id": "google/gemma-3-4b-it", "torch_compile": True},
        TRAINERS,
        "rx-7900-xtx",
    ),
    "half of the GPUs idle": Fault(
        "parallel.idle_gpus", {"num_processes": 4}, "accelerate", gpus=8
    ),
}


class Variables(NamedTuple):
    """Environment variables put into a script of ours, and the rule that must find them."""

    rule: str
    values: dict[str, str]
    hardware: str = "mi300x"
    gpus: int = 1
    nodes: int = 1
    versions: dict[str, str] = {}  # noqa: RUF012 (never changed)


VARIABLES: tuple[Variables, ...] = (
    Variables("env.debug_switches", {"CUDA_LAUNCH_BLOCKING": "1"}, "h100-sxm"),
    Variables("env.debug_switches", {"AMD_SERIALIZE_KERNEL": "3"}),
    Variables("env.expandable_segments", {"PYTORCH_HIP_ALLOC_CONF": "expandable_segments:True"}),
    Variables("env.hipblaslt_switched_off", {"TORCH_BLAS_PREFER_HIPBLASLT": "0"}),
    Variables("env.no_effect_here", {"HIP_FORCE_DEV_KERNARG": "1"}),
    Variables("env.vllm_in_training", {"VLLM_USE_TRITON_FLASH_ATTN": "0"}),
    Variables("env.flash_attention_triton", {"FLASH_ATTENTION_TRITON_AMD_ENABLE": "TRUE"}),
    Variables("env.nccl_min_nchannels", {"NCCL_MIN_NCHANNELS": "112"}, "mi355x", 8),
    Variables("tuning.tunableop_on_nvidia", {"PYTORCH_TUNABLEOP_ENABLED": "1"}, "h100-sxm"),
    Variables("tuning.tunableop_keeps_tuning", {"PYTORCH_TUNABLEOP_ENABLED": "1"}),
    Variables(
        "tuning.tunableop_unchecked",
        {
            "PYTORCH_TUNABLEOP_ENABLED": "1",
            "PYTORCH_TUNABLEOP_TUNING": "0",
            "PYTORCH_TUNABLEOP_NUMERICAL_CHECK": "0",
        },
    ),
    Variables("tuning.te_rocblas", {"NVTE_USE_ROCBLAS": "1"}),
    Variables("tuning.te_attention_unfused", {"NVTE_FUSED_ATTN": "0"}),
    Variables("tuning.gfx_override", {"HSA_OVERRIDE_GFX_VERSION": "11.0.0"}),
    Variables("tuning.xnack_on_mi350", {"HSA_XNACK": "1"}, "mi355x"),
    Variables("tuning.heap_tweaks", {"GPU_MAX_HEAP_SIZE": "100"}),
    Variables(
        "tuning.visible_devices_twice",
        {"ROCR_VISIBLE_DEVICES": "0,1", "HIP_VISIBLE_DEVICES": "2"},
    ),
    Variables(
        "tuning.allocator_variable_renamed",
        {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:512"},
        "h100-sxm",
        versions={"torch": "2.11.0"},
    ),
    Variables("compile.max_autotune", {"TORCHINDUCTOR_MAX_AUTOTUNE": "1"}),
    Variables("collectives.nvlink_switched_off", {"NCCL_P2P_DISABLE": "1"}, "h100-sxm", 8),
    Variables("collectives.infiniband_switched_off", {"NCCL_IB_DISABLE": "1"}, "h100-sxm", 8, 2),
    Variables("collectives.pinned_choices", {"NCCL_PROTO": "LL128"}, "h100-sxm", 8),
    Variables(
        "collectives.msccl_gone",
        {"RCCL_MSCCL_ENABLE": "1"},
        gpus=8,
        versions={"rocm": "7.14"},
    ),
    Variables("logging.nccl_debug", {"NCCL_DEBUG": "INFO"}, gpus=8),
    Variables("data.tokenizer_threads", {"TOKENIZERS_PARALLELISM": "true"}),
)


class Rewriting(NamedTuple):
    """A line of a script of ours written otherwise, and the rule that must find it."""

    rule: str
    old: str
    new: str
    hardware: str = "mi300x"
    gpus: int = 1
    script: str = "faulty/trl_qlora.py.txt"


PLAIN = "tuned/hf_script.py.txt"
REWRITINGS: tuple[Rewriting, ...] = (
    Rewriting("precision.fp32_compute", "bf16=True", "bf16=False", script=PLAIN),
    Rewriting("precision.tf32_for_fp32", "bf16=True", "bf16=False", "a100-80gb", script=PLAIN),
    Rewriting("precision.pure_bf16_full", "torch.float32", "torch.bfloat16", script=PLAIN),
    Rewriting("precision.tf32_on_rocm", "tf32=False", "tf32=True"),
    Rewriting("names.max_seq_length", "max_length=2048", "max_seq_length=2048"),
    Rewriting("names.group_by_length", "bf16=True,", "bf16=True,\n    group_by_length=True,"),
    Rewriting("names.warmup_ratio", "bf16=True,", "bf16=True,\n    warmup_ratio=0.03,"),
    Rewriting("names.use_liger_kernel", "bf16=True,", "bf16=True,\n    use_liger_kernel=True,"),
    Rewriting(
        "parallel.device_map_auto",
        'attn_implementation="sdpa",',
        'attn_implementation="sdpa",\n    device_map="auto",',
        gpus=8,
    ),
    Rewriting(
        "correct.adapter_on_lm_head",
        'target_modules="all-linear"',
        'target_modules=["q_proj", "v_proj", "lm_head"]',
    ),
)
