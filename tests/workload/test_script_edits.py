"""Edits of a script change exactly the text that says the field; `git apply` takes the diff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.workload.script_texts import (
    RUN,
    TRL,
    changed,
    edit,
    fixture,
)
from workload.read import read_workload


@pytest.mark.parametrize(
    ("name", "values", "lines"),
    [
        (
            "tutorial_sft",
            {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2},
            [
                "-     per_device_train_batch_size=4,",
                "-     gradient_accumulation_steps=4,  # 16 samples a step",
                "+     per_device_train_batch_size=8,",
                "+     gradient_accumulation_steps=2,  # 16 samples a step",
            ],
        ),
        (
            "tutorial_sft",
            {"learning_rate": 1e-4},
            ["- LEARNING_RATE = 2e-4", "+ LEARNING_RATE = 1e-4"],
        ),
        ("tutorial_sft", {"lora_r": 32}, ["-     r=RANK,", "+     r=32,"]),
        (
            "tutorial_sft",
            {"lora_alpha": 64},
            ["-     lora_alpha=RANK * 2,", "+     lora_alpha=64,"],
        ),
        (
            "tutorial_sft",
            {"model_id": "example-org/other-1b"},
            ['- MODEL = "Qwen/Qwen2.5-1.5B-Instruct"', '+ MODEL = "example-org/other-1b"'],
        ),
        (
            "tutorial_sft",
            {"model_load_dtype": "bf16"},
            ['+     model_init_kwargs={"dtype": torch.bfloat16},'],
        ),
        (
            "tutorial_sft",
            {"attn_implementation": "flash_attention_2", "packing": True},
            [
                '+     model_init_kwargs={"attn_implementation": "flash_attention_2"},',
                "+     packing=True,",
            ],
        ),
        (
            "tutorial_sft",
            {"gradient_checkpointing": False},
            ["+     gradient_checkpointing=False,"],
        ),
        (
            "tutorial_sft",
            {"gradient_checkpointing_reentrant": True},
            ['+     gradient_checkpointing_kwargs={"use_reentrant": True},'],
        ),
        (
            "tutorial_sft",
            {"lora_target_modules": "all-linear"},
            [
                '-     target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],',
                '+     target_modules="all-linear",',
            ],
        ),
        ("tutorial_sft", {"datasets": ["example-org/soups"]}, [
            '- dataset = load_dataset("example-org/recipes", split="train")',
            '+ dataset = load_dataset("example-org/soups", split="train")',
        ]),
        ("tutorial_sft", {"group_by_length": True}, [
            '+     train_sampling_strategy="group_by_length",'
        ]),
        (
            "dpo_qlora",
            {"optimizer": "adamw_torch_fused", "tf32": False},
            [
                '-         bf16=True, optim="paged_adamw_8bit", max_length=1536, logging_steps=1)',
                '+         bf16=True, optim="adamw_torch_fused", max_length=1536, logging_steps=1,'
                " tf32=False)",
            ],
        ),
        (
            "dpo_qlora",
            {"attn_implementation": "sdpa"},
            ['+         attn_implementation="sdpa",'],
        ),
        ("dpo_qlora", {"lora_dropout": 0.1}, [
            '-                          peft_config=LoraConfig(r=64, lora_alpha=16,'
            ' target_modules="all-linear"))',
            '+                          peft_config=LoraConfig(r=64, lora_alpha=16,'
            ' target_modules="all-linear", lora_dropout=0.1))',
        ]),
        (
            "dpo_qlora",
            {"model_load_dtype": "fp16"},
            ["-         torch_dtype=torch.bfloat16,", "+         torch_dtype=torch.float16,"],
        ),
        ("dpo_qlora", {"use_kv_cache": True}, [
            "-     model.config.use_cache = False",
            "+     model.config.use_cache = True",
        ]),
        ("dpo_qlora", {"gradient_checkpointing": False}, [
            "-     return prepare_model_for_kbit_training(model)",
            "+     return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)",
            "-         bf16=True, optim=\"paged_adamw_8bit\", max_length=1536, logging_steps=1)",
            "+         bf16=True, optim=\"paged_adamw_8bit\", max_length=1536, logging_steps=1,",
            "+         gradient_checkpointing=False)",
        ]),
        (
            "plain_trainer",
            {"learning_rate": 5e-5, "dataloader_num_workers": 4},
            [
                "-     dataloader_num_workers=0,",
                "+     dataloader_num_workers=4,",
                "- args.learning_rate = 3e-5",
                "+ args.learning_rate = 5e-5",
            ],
        ),
        ("plain_trainer", {"per_device_train_batch_size": 16}, [
            "- batch, accumulation = 8, 2",
            "+ batch, accumulation = 16, 2",
        ]),
        (
            "plain_trainer",
            {"fp16": False, "bf16": True},
            [
                "-     fp16=True,",
                "+     fp16=False,",
                "-     group_by_length=False",
                "+     group_by_length=False,",
                "+     bf16=True",
            ],
        ),
        ("plain_trainer", {"gradient_checkpointing": False}, [
            "- model.gradient_checkpointing_enable("
            'gradient_checkpointing_kwargs={"use_reentrant": False})',
        ]),
        ("plain_trainer", {"torch_compile": False}, ["- model = torch.compile(model)"]),
        ("plain_trainer", {"allow_tf32": False}, [
            "- cuda.matmul.allow_tf32 = True",
            "+ cuda.matmul.allow_tf32 = False",
        ]),
        ("plain_trainer", {"attn_implementation": "sdpa", "model_load_dtype": "bf16"}, [
            '-     "EleutherAI/pythia-410m"',
            '+     "EleutherAI/pythia-410m",',
            '+     attn_implementation="sdpa",',
            "+     torch_dtype=torch.bfloat16",
        ]),
        ("plain_trainer", {"max_seq_len": 256}, ["- BLOCK = 512", "+ BLOCK = 256"]),
        ("unsloth_sft", {"gradient_checkpointing": True}, [
            '-     use_gradient_checkpointing = "unsloth",',
            "+     use_gradient_checkpointing = True,",
        ]),
        ("unsloth_sft", {"optimizer": "adamw_torch_fused"}, [
            '-         optim = "adamw_8bit",',
            '+         optim = "adamw_torch_fused",',
        ]),
        ("messy", {"num_epochs": 2, "gradient_accumulation_steps": 8}, [
            "-     gradient_accumulation_steps=2 if 1 + 1 == 2 else 4,",
            "-     num_train_epochs=1,",
            "+     gradient_accumulation_steps=8,",
            "+     num_train_epochs=2,",
        ]),
        ("messy", {"bf16": True, "per_device_train_batch_size": 4}, [
            "-     bf16=is_bf16_supported(),",
            "-     per_device_train_batch_size=6 if use_flash else 4,",
            "+     bf16=True,",
            "+     per_device_train_batch_size=4,",
        ]),
        ("messy", {"gradient_checkpointing_reentrant": False}, [
            "-     gradient_checkpointing=True, "
            "gradient_checkpointing_kwargs=dict(use_reentrant=True),",
            "+     gradient_checkpointing=True, "
            "gradient_checkpointing_kwargs=dict(use_reentrant=False),",
        ]),
        ("first_qlora", {"packing": True, "optimizer": "adamw_torch_fused", "bf16": True}, [
            "- bf16 = False",
            '- optim = "paged_adamw_32bit"',
            "+ bf16 = True",
            '+ optim = "adamw_torch_fused"',
            "- packing = False",
            "+ packing = True",
        ]),
        ("first_qlora", {"max_seq_len": 2048}, [
            "- max_seq_length = None",
            "+ max_seq_length = 2048",
        ]),
    ],
)  # fmt: skip
def test_a_field_is_set_where_the_script_says_it(
    name: str, values: dict[str, Any], lines: list[str], tmp_path: Path
) -> None:
    found = changed(fixture(name), tmp_path, **values)
    assert sorted(found) == sorted(lines)


@pytest.mark.parametrize("name", ["dpo_qlora", "first_qlora"])
def test_quantisation_goes_and_its_config_stays(name: str) -> None:
    text = fixture(name)
    done = edit(text, quant_bits=None, finetune_method="lora")
    assert done.workload.value("quant_bits", 0) == 0
    assert done.workload.value("finetune_method") == "lora"
    assert done.outcomes[0].applied
    after = done.uploads[0].data.decode()
    assert "quantization_config=" not in after
    assert "BitsAndBytesConfig(" in after
    assert len(after.splitlines()) == len(text.splitlines()) - 1
    before = read_workload([Upload("train.py", text.encode())])
    assert done.workload.value("gradient_checkpointing") == before.value("gradient_checkpointing")


def test_removed_fields_go_with_their_lines(tmp_path: Path) -> None:
    text = fixture("tutorial_sft")
    gone = [FieldEdit(field=name, remove=True) for name in ("seed", "lora_dropout")]
    gone.append(FieldEdit(field="env:TOKENIZERS_PARALLELISM", remove=True))
    assert changed(text, tmp_path, *gone) == [
        '- os.environ["TOKENIZERS_PARALLELISM"] = "false"',
        "-     lora_dropout=0.05,",
        "-     seed=7,",
    ]


def test_a_keyword_becomes_another_in_one_patch(tmp_path: Path) -> None:
    text = f"{TRL}args = SFTConfig(\n    warmup_ratio=0.03,\n    seed=1,\n)\n{RUN}"
    lines = changed(text, tmp_path, FieldEdit(field="warmup_ratio", remove=True), warmup_steps=0.03)
    assert lines == ["-     warmup_ratio=0.03,", "+     warmup_steps=0.03,"]


def test_the_layout_keeps_crlf_tabs_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = f"\ufeff# größe\n{TRL}args = SFTConfig(\n\t'größe',\n\tseed=1,\n)\n{RUN}".replace(
        "\n", "\r\n"
    )
    done = edit(text, bf16=True, seed=2)
    assert all(outcome.applied for outcome in done.outcomes)
    wanted = text.replace("seed=1,\r\n", "seed=2,\r\n\tbf16=True,\r\n")
    assert done.uploads[0].data.decode() == wanted
