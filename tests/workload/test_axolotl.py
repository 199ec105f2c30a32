from __future__ import annotations

from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import edit_workload
from workload.read import read_workload

HEAD = """base_model: goblin-org/tiny-1b
datasets:
  - path: goblin-org/chat
    type: alpaca
micro_batch_size: 2
gradient_accumulation_steps: 4
learning_rate: 2e-4
"""


def read(text: str, **versions: str) -> Workload:
    return read_workload([Upload("run.yml", (HEAD + text).encode())], versions=versions)


def value(text: str, name: str) -> Any:
    return read(text).fields[name].value


def origin(text: str, name: str) -> str:
    return read(text).fields[name].origin


@pytest.mark.parametrize(
    ("text", "name", "wanted", "where"),
    [
        ("", "learning_rate", 2e-4, "stated"),
        ("weight_decay: '0.1'\n", "weight_decay", 0.1, "stated"),
        ("", "max_seq_len", 512, "default"),
        ("", "bf16", "auto", "default"),
        ("", "task", "sft", "default"),
        ("rl: dpo\n", "task", "dpo", "stated"),
        ("reward_model: true\n", "task", "reward", "stated"),
        ("pretraining_dataset:\n  - path: c4\n", "task", "pretrain", "stated"),
        ("", "finetune_method", "full", "default"),
        ("adapter:\n", "finetune_method", "full", "default"),
        ("adapter: lora\npeft_use_dora: true\n", "finetune_method", "dora", "stated"),
        ("adapter: qlora\nload_in_4bit: true\n", "quant_bits", 4, "stated"),
        ("load_in_8bit: true\nadapter: lora\n", "quant_bits", 8, "stated"),
        ("load_in_4bit: false\n", "quant_bits", None, "stated"),
        ("adapter: qlora\nload_in_4bit: true\n", "quant_type", "nf4", "default"),
        ("bnb_config_kwargs:\n  bnb_4bit_quant_type: fp4\n", "quant_type", "fp4", "stated"),
        ("sample_packing: true\n", "pad_to_max_length", True, "derived"),
        (
            "sample_packing: true\npad_to_sequence_len: false\n",
            "pad_to_max_length",
            False,
            "stated",
        ),
        ("sdp_attention: true\n", "attn_implementation", "sdpa", "stated"),
        (
            "flash_attention: true\nxformers_attention: true\n",
            "attn_implementation",
            "xformers",
            "stated",
        ),
        ("flash_attention: false\n", "attn_implementation", "sdpa", "assumed"),
        (
            "attn_implementation: kernels-community/flash-attn3\n",
            "attn_implementation",
            "kernels-community/flash-attn3",
            "stated",
        ),
        ("gradient_checkpointing: true\n", "gradient_checkpointing_reentrant", True, "derived"),
        (
            "gradient_checkpointing: true\nrl: dpo\n",
            "gradient_checkpointing_reentrant",
            False,
            "derived",
        ),
        ("gradient_checkpointing: offload\n", "gradient_checkpointing", "offload", "stated"),
        ("gradient_checkpointing: offload\n", "activation_offloading", True, "derived"),
        ("gradient_checkpointing:\n", "gradient_checkpointing", False, "stated"),
        ("torch_compile: auto\n", "torch_compile", True, "stated"),
        ("sequence_parallel_degree: 4\n", "context_parallel_size", 4, "stated"),
        (
            "deepspeed: deepspeed_configs/zero3_bf16_cpuoffload_all.json\n",
            "deepspeed_stage",
            3,
            "assumed",
        ),
        (
            "deepspeed: deepspeed_configs/zero3_bf16_cpuoffload_all.json\n",
            "offload_optimizer",
            "cpu",
            "assumed",
        ),
        ("deepspeed:\n  zero_optimization: {stage: 2}\n", "deepspeed_stage", 2, "stated"),
        ("fsdp_config:\n  fsdp_offload_params: true\n", "fsdp_cpu_offload", True, "stated"),
        ("fsdp: [full_shard]\nfsdp_config:\n  a: 1\n", "fsdp", True, "stated"),
        ("evals_per_epoch: 4\nnum_epochs: 2\n", "eval_steps", 0.125, "derived"),
        (
            "plugins: [axolotl.integrations.liger.LigerPlugin]\nliger_rope: true\n",
            "liger",
            True,
            "stated",
        ),
        ("plugins: [axolotl.integrations.liger.LigerPlugin]\n", "liger", False, "stated"),
        ("liger_rope: true\n", "liger", False, "default"),
        ("dataloader_num_workers: 4\n", "dataloader_prefetch_factor", None, "default"),
        ("", "dataloader_prefetch_factor", 256, "default"),
        ("bf16: false\nfp16: true\n", "compute_dtype", "fp16", "derived"),
        ("bf16: false\n", "compute_dtype", "fp32", "derived"),
        ("bf16: false\nbfloat16: true\n", "compute_dtype", "bf16", "derived"),
        ("bf16: true\n", "effective_batch", 8, "derived"),
        ("wandb_project: goblin\n", "report_to", ["wandb"], "derived"),
        ("wandb_project: goblin\nuse_wandb: false\n", "report_to", [], "derived"),
        ("rl: grpo\ntrl:\n  num_generations: 4\n", "grpo_block", {"num_generations": 4}, "stated"),
        (
            "batch_flattening: auto\nattn_implementation: flash_attention_2\n",
            "padding_free",
            True,
            "derived",
        ),
    ],
)
def test_a_field_is_read(text: str, name: str, wanted: Any, where: str) -> None:
    found = read(text).fields[name]
    assert (found.value, found.origin) == (wanted, where)


def test_own_kernels_are_on_unless_something_speaks_against_it() -> None:
    lora = "adapter: lora\n"
    assert "lora_mlp_kernel" in value(lora, "fused_kernels")
    for against in ("load_in_8bit: true\n", "rl: dpo\n", "trust_remote_code: true\n"):
        assert value(lora + against, "fused_kernels") == []
    assert value(lora + "lora_o_kernel: false\n", "fused_kernels") == []
    cut = "plugins:\n  - axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin\n"
    assert value(cut, "fused_kernels") == ["cut_cross_entropy"]
    assert value(cut + "cut_cross_entropy: false\n", "fused_kernels") == []


def test_the_batch_size_is_told_of_but_not_divided() -> None:
    text = HEAD.replace("gradient_accumulation_steps: 4", "batch_size: 16")
    workload = read_workload([Upload("run.yml", text.encode())])
    assert workload.value("gradient_accumulation_steps") == 1
    assert workload.value("train_batch_size") == 16
    assert any("stay 1" in notice.message for notice in workload.notices)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("sample_packin: true\n", "unknown_key", "sample_packing"),
        ("Learning_Rate: 1\n", "unknown_key", "learning_rate"),
        ("gradient_acumulation_steps: 4\n", "unknown_key", "gradient_accumulation_steps"),
        ("flash_attention: true\n", "deprecated", "attn_implementation: flash_attention_2"),
        ("sequence_parallel_degree: 2\n", "deprecated", "context_parallel_size"),
        ("context_parallel_size: 1\nsequence_parallel_degree: 2\n", "conflict", "disagree"),
        ("lora_r: 8\nlora_r: 16\n", "conflict", "more than once"),
        ("lora_r: -8\n", "note", "lora_r must be a whole number"),
        ("lora_r: .nan\n", "note", "lora_r is no finite number"),
        ("sequence_len: 4000000000\n", "note", "larger than"),
        ("deepspeed: /etc/passwd\n", "missing_file", "passwd"),
    ],
)
def test_a_notice_tells_of_it(text: str, kind: str, words: str) -> None:
    notices = [notice for notice in read(text).notices if notice.kind == kind]
    assert any(words in notice.message and notice.line for notice in notices), notices


@pytest.mark.parametrize(
    "text",
    [
        "lora_r: 0\n",
        "micro_batch_size: -1\n",
        "micro_batch_size: 0\n",
        "num_epochs: .inf\n",
        "num_epochs: -3\n",
        "num_epochs: 0\n",
    ],
)
def test_an_invalid_number_is_unknown(text: str) -> None:
    name = {"micro_batch_size": "per_device_train_batch_size"}.get(text.split(":")[0])
    found = read(text).fields[name or text.split(":")[0]]
    assert (found.origin, found.value) == ("unknown", None)


def test_versions_follow_the_release_that_axolotl_installs() -> None:
    assert read("").versions["transformers"] == "5.14.1"
    assert read("").versions_origin == "assumed"
    stated = read("", transformers="4.57.6")
    assert stated.versions["transformers"] == "4.57.6"
    assert stated.versions_origin == "stated"
    assert stated.fields["max_grad_norm"].source == "transformers 4.57.6"


def edited(text: str, **values: Any) -> tuple[str, list[str | None]]:
    """The text behind HEAD after edits, and the reasons of those not made."""
    edits = [FieldEdit(field=name, value=value) for name, value in values.items()]
    result = edit_workload([Upload("run.yml", (HEAD + text).encode())], edits)
    after = result.uploads[0].data.decode()
    return after, [outcome.reason for outcome in result.outcomes if not outcome.applied]


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("bf16: auto\n", {"bf16": True}, "bf16: true\n"),
        (
            "flash_attention: true # old\n",
            {"attn_implementation": "sdpa"},
            "attn_implementation: sdpa # old\n",
        ),
        ("bf16: true\n", {"tf32": False}, "bf16: true\ntf32: false\n"),
        ("sample_packing: false\n", {"packing": True}, "sample_packing: true\n"),
        (
            "adapter: qlora\nload_in_4bit: true\n",
            {"quant_bits": None, "finetune_method": "lora"},
            "adapter: lora\nload_in_4bit: false\n",
        ),
        ("adapter: lora\n", {"finetune_method": "full"}, ""),
        (
            "lora_target_modules:\n  - q_proj\nlora_r: 8\n",
            {"lora_target_modules": "all-linear"},
            "lora_r: 8\nlora_target_linear: true\n",
        ),
        (
            "gradient_checkpointing: true\n",
            {"gradient_checkpointing_reentrant": False},
            "gradient_checkpointing: true\n"
            "gradient_checkpointing_kwargs:\n  use_reentrant: false\n",
        ),
        (
            "gradient_checkpointing: true\ngradient_checkpointing_kwargs:\n  other: 1\n",
            {"gradient_checkpointing_reentrant": False},
            "gradient_checkpointing: true\n"
            "gradient_checkpointing_kwargs:\n  other: 1\n  use_reentrant: false\n",
        ),
        (
            "bf16: true\n",
            {"liger": True},
            "bf16: true\nplugins:\n  - axolotl.integrations.liger.LigerPlugin\nliger_rope: true\n"
            "liger_rms_norm: true\nliger_glu_activation: true\n"
            "liger_fused_linear_cross_entropy: true\n",
        ),
        (
            "optimizer: adamw_8bit\n",
            {"optimizer": "adamw_torch_fused"},
            "optimizer: adamw_torch_fused\n",
        ),
        ("bf16: true\n", {"dataloader_num_workers": 4}, "bf16: true\ndataloader_num_workers: 4\n"),
    ],
)
def test_an_edit_is_made_in_the_users_own_words(
    text: str, values: dict[str, Any], expected: str
) -> None:
    after, reasons = edited(text, **values)
    assert reasons == []
    assert after == HEAD + expected


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        ("", {"dataloader_persistent_workers": True}, "no key"),
        ("", {"env:NCCL_DEBUG": "INFO"}, "environment"),
        ("", {"per_device_train_batch_size": 0}, "whole number"),
        ("lora_target_modules: [q_proj]\n", {"lora_target_modules": ["k_proj"]}, "more than one"),
        ("lora_r: 8\nlora_r: 16\n", {"lora_r": 4}, "more than once"),
        ("x: &a 8\nlora_r: *a\n", {"lora_r": 4}, "anchor"),
        ("plugins: [a.b]\n", {"liger": True}, "plugins already"),
        ("bf16: true\n", {"bf16": True}, "already"),
        ("", {"effective_batch": 4}, "no key"),
        ("", {"quant_bits": 3}, "4 or 8"),
        ("gradient_checkpointing_kwargs: 5\n", {"gradient_checkpointing_reentrant": True}, "block"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(
    text: str, values: dict[str, Any], reason: str
) -> None:
    after, reasons = edited(text, **values)
    assert after == HEAD + text
    assert reasons[0] is not None
    assert reason in reasons[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("learning_rate: 1e999\n", "learning_rate"),
        ("learning_rate: .inf\n", "learning_rate"),
        ("learning_rate: 0\n", "learning_rate"),
        ("micro_batch_size: 1000000000000000000\n", "per_device_train_batch_size"),
        ("gradient_accumulation_steps: 0\n", "gradient_accumulation_steps"),
        ("sequence_len: many\n", "max_seq_len"),
    ],
)
def test_what_no_run_can_use_never_leaves_as_a_value(text: str, name: str) -> None:
    key = text.split(":")[0]
    kept = "".join(line + "\n" for line in HEAD.splitlines() if not line.startswith(key))
    workload = read_workload([Upload("run.yml", (kept + text).encode())])
    assert workload.fields[name].origin == "unknown"
    assert not workload.known(name)
    assert "Infinity" not in workload.model_dump_json()


def test_dates_and_mixed_line_ends_are_read_and_kept() -> None:
    text = HEAD.replace("\n", "\r\n", 3) + "wandb_name: 2024-01-01\ndevice_map: 2024-01-01\n"
    workload = read_workload([Upload("run.yml", text.encode())])
    assert workload.fields["device_map"].value == "2024-01-01"
    edit = FieldEdit(field="gradient_accumulation_steps", value=8)
    after = edit_workload([Upload("run.yml", text.encode())], [edit]).uploads[0].data.decode()
    assert after == text.replace("steps: 4", "steps: 8")
