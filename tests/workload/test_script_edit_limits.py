"""Edits of a script that are advice, keep its layout and spelling, or show nothing secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.workload.script_texts import (
    HF,
    RUN,
    TRL,
    changed,
    edit,
    fixture,
)


@pytest.mark.parametrize(
    ("text", "values", "reason", "advice"),
    [
        (
            f"{TRL}args = SFTConfig(seed=1, **more())\n{RUN}",
            {"bf16": True},
            "does not show",
            "bf16=True in SFTConfig",
        ),
        (
            f"{TRL}SFTTrainer(model='a/b').train()\n",
            {"bf16": True},
            "no call that takes it",
            "bf16=True",
        ),
        (
            f"{TRL}from trl import TrlParser as P\n(args,) = P(SFTConfig).parse_args_and_config()\n"
            + RUN,
            {"learning_rate": 1e-4},
            "does not show",
            "--learning_rate 0.0001",
        ),
        (
            f"{TRL}args = SFTConfig(seed=1)\n{RUN}",
            {"env:A_B": "1"},
            "before Python",
            "export A_B=1",
        ),
        (f"{TRL}args = SFTConfig(seed=1)\n{RUN}", {"num_processes": 8}, "launch", "num_processes"),
        (f"{TRL}args = SFTConfig(seed=1)\n{RUN}", {"effective_batch": 8}, "follows", "effective"),
        (f"{TRL}args = SFTConfig(seed=1)\n{RUN}", {"lora_r": 8}, "no call", "r=8"),
        (
            f"{TRL}args = SFTConfig(seed=1)\n{RUN}",
            {"finetune_method": "lora"},
            "object",
            "LoraConfig",
        ),
        (
            f"{TRL}args = SFTConfig(seed=1)\n{RUN}",
            {"quant_bits": 4},
            "config object",
            "load_in_4bit",
        ),
        (
            f"{HF}Trainer(None, TrainingArguments('o')).train()\n",
            {"packing": True},
            "no keyword",
            "packing",
        ),
        (
            f"{TRL}tokenizer.pad_token = tokenizer.eos_token\nargs = SFTConfig(seed=1)\n{RUN}",
            {"pad_token_is_eos": False},
            "depends on the tokenizer",
            "pad_token",
        ),
        (
            f"{TRL}args = SFTConfig(seed=1)\nif cond():\n    args.seed = 2\n{RUN}",
            {"seed": 3},
            "condition",
            "seed=3",
        ),
        (
            f"{TRL}if cond():\n    args = SFTConfig('a')\nelse:\n    args = SFTConfig('b')\n{RUN}",
            {"seed": 3},
            "several branches",
            "seed=3",
        ),
        (
            f"{TRL}args = SFTConfig(seed=1)\ntrainer = SFTTrainer(model='a/b', args=args)\n"
            "if cond():\n    trainer.model.gradient_checkpointing_enable()\ntrainer.train()\n",
            {"gradient_checkpointing": False},
            "would read",
            "gradient_checkpointing",
        ),
    ],
)
def test_what_cannot_be_made_exactly_is_advice(
    text: str, values: dict[str, Any], reason: str, advice: str
) -> None:
    done = edit(text, **values)
    assert done.diff == ""
    assert done.uploads[0].data.decode() == text
    (outcome,) = done.outcomes
    assert not outcome.applied
    assert reason in (outcome.reason or "")
    assert advice in (outcome.advice or "")


def test_what_the_file_says_already_is_left_alone() -> None:
    done = edit(fixture("tutorial_sft"), learning_rate=2e-4, report_to=["none"], quant_bits=None)
    assert done.diff == ""
    assert {outcome.reason for outcome in done.outcomes} == {"the file says so already"}


def test_the_spelling_is_that_of_the_script_and_its_version(tmp_path: Path) -> None:
    new = f"{TRL}import torch\n{HF}model = AutoModelForCausalLM.from_pretrained('a/b')\n"
    new += "SFTTrainer(model=model, args=SFTConfig('o')).train()\n"
    old = "# transformers==4.50.0 trl==0.15.2\n" + new
    assert any("dtype=torch.bfloat16)" in line and "torch_dtype" not in line
               for line in changed(new, tmp_path, model_load_dtype="bf16"))  # fmt: skip
    assert any("torch_dtype=torch.bfloat16)" in line
               for line in changed(old, tmp_path, model_load_dtype="bf16"))  # fmt: skip
    assert any("max_length=512" in line for line in changed(new, tmp_path, max_seq_len=512))
    assert any("max_seq_length=512" in line for line in changed(old, tmp_path, max_seq_len=512))


def test_a_secret_in_the_script_never_shows() -> None:
    token = "hf_" + "Ab3" * 12
    text = f"{TRL}args = SFTConfig(\n    seed=1,\n    hub_token='{token}',\n"
    text += f"    weight_decay=0.1,\n)\n{RUN}"
    done = edit(text, seed=2, weight_decay=0.2)
    assert all(outcome.applied for outcome in done.outcomes)
    assert token not in done.diff
    assert token not in done.workload.model_dump_json()
    assert token in done.uploads[0].data.decode()


@pytest.mark.shared
def test_code_rows_of_the_scorer_are_edited_exactly() -> None:
    folder = Path(__file__).resolve().parents[2] / "../shared/score"
    if not folder.is_dir():
        pytest.skip("the scorers do not stand beside the checkout")
    for name in ("tutorial_sft", "dpo_qlora", "plain_trainer", "unsloth_sft"):
        text = fixture(name)
        for field in ("per_device_train_batch_size", "learning_rate", "lora_alpha", "max_steps"):
            hits = list(re.finditer(rf"\b{field}\s*=\s*(\d[\d.e-]*)(?=[\s,)])", text))
            if len(hits) != 1:
                continue
            done = edit(text, **{field: 3})
            start, end = hits[0].span(1)
            assert done.uploads[0].data.decode() == text[:start] + "3" + text[end:]


def test_checkpointing_and_its_reentrance_go_together(tmp_path: Path) -> None:
    text = HF + (
        'model = AutoModelForCausalLM.from_pretrained("a/b")\n'
        'model.gradient_checkpointing_enable({"use_reentrant": False})\n'
        'Trainer(model=model, args=TrainingArguments(output_dir="x")).train()\n'
    )
    gone = ['- model.gradient_checkpointing_enable({"use_reentrant": False})']
    assert changed(text, tmp_path, gradient_checkpointing=False) == gone


def test_a_form_feed_stays_where_it_is(tmp_path: Path) -> None:
    text = TRL + "\f\nargs = SFTConfig(seed=3)\n" + RUN
    assert changed(text, tmp_path, seed=7) == [
        "- args = SFTConfig(seed=3)",
        "+ args = SFTConfig(seed=7)",
    ]
