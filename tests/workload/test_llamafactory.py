from __future__ import annotations

from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import edit_workload
from workload.read import read_workload

HEAD = """model_name_or_path: goblin-org/tiny-1b
stage: sft
do_train: true
template: qwen
dataset: identity,goblin
per_device_train_batch_size: 2
learning_rate: 1e-4
"""


def read(text: str, head: str = HEAD, **versions: str) -> Workload:
    return read_workload([Upload("run.yaml", (head + text).encode())], versions=versions)


@pytest.mark.parametrize(
    ("text", "name", "wanted", "where"),
    [
        ("", "learning_rate", 1e-4, "stated"),
        ("", "finetune_method", "lora", "default"),
        ("quantization_bit: 4\n", "finetune_method", "qlora", "default"),
        ("finetuning_type: lora\nquantization_bit: 4\n", "finetune_method", "qlora", "stated"),
        ("finetuning_type: lora\nuse_dora: true\n", "finetune_method", "dora", "stated"),
        ("finetuning_type: full\n", "finetune_method", "full", "stated"),
        ("lora_rank: 16\n", "lora_alpha", 32, "derived"),
        ("lora_rank: 16\nlora_alpha: 0\n", "lora_alpha", 32, "derived"),
        ("lora_rank: 16\nlora_alpha: 8\n", "lora_alpha", 8, "stated"),
        ("", "lora_target_modules", "all-linear", "default"),
        ("lora_target: q_proj, v_proj\n", "lora_target_modules", ["q_proj", "v_proj"], "stated"),
        ("", "datasets", ["identity", "goblin"], "stated"),
        ("", "gradient_checkpointing", True, "default"),
        ("disable_gradient_checkpointing: true\n", "gradient_checkpointing", False, "stated"),
        ("", "gradient_checkpointing_reentrant", True, "default"),
        ("", "packing", False, "default"),
        ("neat_packing: true\n", "packing", True, "derived"),
        ("packing: false\nneat_packing: true\n", "packing", True, "derived"),
        ("flash_attn: disabled\n", "attn_implementation", "eager", "stated"),
        ("", "attn_implementation", "auto", "default"),
        ("pure_bf16: true\n", "bf16", True, "stated"),
        ("bf16: true\n", "model_load_dtype", "bf16", "derived"),
        ("use_galore: true\nfinetuning_type: full\n", "optimizer", "galore_adamw", "stated"),
        ("train_sampling_strategy: group_by_length\n", "group_by_length", True, "stated"),
        ("deepspeed: cfg/ds_z3_offload_config.json\n", "deepspeed_stage", 3, "assumed"),
        ("", "ddp_find_unused_parameters", False, "derived"),
        ("report_to: wandb\n", "report_to", ["wandb"], "stated"),
        ("enable_liger_kernel: true\n", "liger", True, "stated"),
        ("quantization_bit: 4\n", "quant_type", "nf4", "default"),
        ("lora_rank: ${oc.env:RANK}\n", "lora_r", None, "unknown"),
        ("seed: ${a}\n", "seed", None, "unknown"),
    ],
)
def test_a_field_is_read(text: str, name: str, wanted: Any, where: str) -> None:
    found = read(text).fields[name]
    assert (found.value, found.origin) == (wanted, where)


def test_an_environment_variable_is_never_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOBLIN_SECRET_RANK", "77")
    workload = read("lora_rank: ${oc.env:GOBLIN_SECRET_RANK}\n")
    assert "77" not in workload.model_dump_json()


def test_stage_pt_packs_by_default() -> None:
    workload = read("", HEAD.replace("stage: sft", "stage: pt"))
    assert workload.value("task") == "pretrain"
    assert workload.fields["packing"].value is True


def test_defaults_move_with_the_transformers_version() -> None:
    assert read("").versions["transformers"] == "5.8.0"
    old = read("", transformers="4.57.6", trl="0.24.0")
    assert old.fields["warmup_ratio"].value == 0.0
    assert old.fields["report_to"].value == ["all"]
    assert read("").fields["report_to"].value == ["none"]
    assert old.fields["warmup_ratio"].source == "transformers 4.57.6"
    near = read("", transformers="4.50")
    assert near.fields["seed"].source == "transformers 4.50 (figures of 4.57.6)"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("lora_rankk: 8\n", "unknown_key", "refuses to start with it; did you mean lora_rank?"),
        ("group_by_length: true\n", "unknown_key", "the run does not start: transformers 5.8.0"),
        ("packing: false\nneat_packing: true\n", "conflict", "neat_packing turns packing on"),
        ("gradient_checkpointing: false\n", "conflict", "disable_gradient_checkpointing"),
        ("deepspeed: ds.json\n", "missing_file", "ds.json"),
    ],
)
def test_a_notice_tells_of_it(text: str, kind: str, words: str) -> None:
    notices = [notice for notice in read(text).notices if notice.kind == kind]
    assert any(words in notice.message and notice.line for notice in notices), notices


def test_a_repeated_key_is_refused_as_omegaconf_does() -> None:
    with pytest.raises(InputError, match="stands twice") as caught:
        read("bf16: true\nbf16: false\n")
    assert caught.value.line == 9


def test_a_file_that_trains_nothing_says_so() -> None:
    serving = "model_name_or_path: goblin-org/tiny-1b\ntemplate: qwen\ninfer_backend: huggingface\n"
    workload = read("", serving)
    assert workload.value("task") == "inference"
    assert "learning_rate" not in workload.fields
    assert "effective_batch" not in workload.fields
    assert any("trains nothing" in notice.message for notice in workload.notices)


def edited(text: str, *edits: FieldEdit, **versions: str) -> tuple[str, list[str | None]]:
    upload = Upload("run.yaml", (HEAD + text).encode())
    result = edit_workload([upload], edits, versions=versions)
    after = result.uploads[0].data.decode()
    return after, [outcome.reason for outcome in result.outcomes if not outcome.applied]


def wish(name: str, value: Any) -> FieldEdit:
    return FieldEdit(field=name, value=value)


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("packing: true\n", [wish("padding_free", True)], "packing: true\nneat_packing: true\n"),
        (
            "disable_gradient_checkpointing: true\n",
            [wish("gradient_checkpointing", True)],
            "disable_gradient_checkpointing: false\n",
        ),
        ("flash_attn: fa2\n", [wish("attn_implementation", "sdpa")], "flash_attn: sdpa\n"),
        (
            "flash_attn: sdpa\n",
            [wish("attn_implementation", "flash_attention_2")],
            "flash_attn: fa2\n",
        ),
        ("quantization_bit: 4\nbf16: true\n", [wish("quant_bits", None)], "bf16: true\n"),
        (
            "finetuning_type: lora\nquantization_bit: 4\nbf16: true\n",
            [wish("finetune_method", "lora"), wish("quant_bits", None)],
            "finetuning_type: lora\nbf16: true\n",
        ),
        (
            "lora_target: all\n",
            [wish("lora_target_modules", ["q_proj", "v_proj"])],
            'lora_target: "q_proj,v_proj"\n',
        ),
        (
            "lora_target: q_proj\n",
            [wish("lora_target_modules", "all-linear")],
            "lora_target: all\n",
        ),
        ("bf16: true\nseed: 1\n", [FieldEdit(field="seed", remove=True)], "bf16: true\n"),
        (
            "gradient_accumulation_steps: 8\n",
            [wish("gradient_accumulation_steps", 4), wish("max_grad_norm", 0.5)],
            "gradient_accumulation_steps: 4\nmax_grad_norm: 0.5\n",
        ),
    ],
)
def test_an_edit_is_made_in_the_users_own_words(
    text: str, edits: list[FieldEdit], expected: str
) -> None:
    after, reasons = edited(text, *edits)
    assert reasons == []
    assert sorted(after.splitlines()) == sorted((HEAD + expected).splitlines())


def test_data_order_is_written_for_the_version() -> None:
    new, _ = edited("", wish("group_by_length", True))
    assert "train_sampling_strategy: group_by_length\n" in new
    old, _ = edited("", wish("group_by_length", True), transformers="4.57.6")
    assert "group_by_length: true\n" in old


@pytest.mark.parametrize(
    ("text", "edit", "reason"),
    [
        ("", wish("attn_implementation", "flex_attention"), "takes no flex_attention"),
        ("use_badam: true\n", wish("optimizer", "adamw_torch"), "use_badam replaces"),
        ("neat_packing: true\n", wish("packing", False), "would read True"),
        ("", wish("finetune_method", "dora"), "more than one key"),
        ("lora_rank: [8]\n", wish("lora_r", 4), "more than one plain value"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(text: str, edit: FieldEdit, reason: str) -> None:
    after, reasons = edited(text, edit)
    assert after == HEAD + text
    assert reasons[0] is not None
    assert reason in reasons[0]
