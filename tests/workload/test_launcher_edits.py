"""Edits of launchers: at the token where the value lives; `git apply` takes every diff."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from workload.patch import Edited, edit_workload

LINE = """torchrun --nproc_per_node=2 train.py \\
    --model_name_or_path "a/b" \\
    --learning_rate 2e-5 --weight_decay 0. \\
    --per_device_train_batch_size 4 \\
    --bf16 True \\
    --gradient_checkpointing True \\
    --output_dir 'out dir' \\
    --logging_steps 1
"""


def edit(text: str, *edits: FieldEdit, name: str = "run.sh") -> Edited:
    return edit_workload([Upload(name, text.encode())], edits)


def put(field: str, value: Any) -> FieldEdit:
    return FieldEdit(field=field, value=value)


def gone(field: str) -> FieldEdit:
    return FieldEdit(field=field, remove=True)


CASES: list[tuple[str, list[FieldEdit], str, str]] = [
    (LINE, [put("learning_rate", 1e-4)], "2e-5", "1e-4"),
    (LINE, [put("bf16", False)], "--bf16 True", "--bf16 False"),
    (LINE, [put("model_id", "c/d e")], '"a/b"', '"c/d e"'),
    (LINE, [put("num_processes", 8)], "nproc_per_node=2", "nproc_per_node=8"),
    (LINE.replace("=2", "=gpu"), [put("num_processes", 8)], "=gpu", "=8"),
    (LINE.rstrip() + " 2>&1 | tee log\n", [put("fp16", True), put("bf16", False)],
     LINE[LINE.index("--bf16") :].rstrip(),
     "--bf16 False \\\n    --gradient_checkpointing True \\\n    --output_dir 'out dir' \\\n"
     "    --fp16 True \\\n    --logging_steps 1"),
    (LINE, [gone("weight_decay")], " --weight_decay 0.", ""),
    (LINE, [gone("bf16")], "    --bf16 True \\\n", ""),
    (LINE, [gone("logging_steps")], " \\\n    --logging_steps 1\n", "\n"),
    (LINE, [put("dataloader_num_workers", 4)], "    --logging_steps",
     "    --dataloader_num_workers 4 \\\n    --logging_steps"),
    (LINE, [put("env:NCCL_DEBUG", "WARN")], "torchrun", "export NCCL_DEBUG=WARN\ntorchrun"),
    (LINE, [put("bf16", False), put("fp16", True), put("learning_rate", 1e-5)],
     LINE, LINE.replace("2e-5", "1e-5").replace("--bf16 True", "--bf16 False")
     .replace("    --logging", "    --fp16 True \\\n    --logging")),
    ("LR=2e-5 # rate\n" + LINE.replace("2e-5", "$LR"), [put("learning_rate", 1e-4)],
     "LR=2e-5", "LR=1e-4"),
    ('LR="${LR:-2e-5}"\n' + LINE.replace("2e-5", '"${LR}"'), [put("learning_rate", 1e-4)],
     ":-2e-5", ":-1e-4"),
    ('A=(--seed 1\n  --max_steps 5)\n' + LINE.replace("--logging_steps 1", '"${A[@]}"'),
     [put("max_steps", 7)], "--max_steps 5", "--max_steps 7"),
    ('C="--seed 1 \\\n  --max_steps 5"\n' + LINE.replace("--logging_steps 1", "$C"),
     [put("seed", 3)], "--seed 1", "--seed 3"),
    ("export A=1\n" + LINE, [put("env:A", "2")], "A=1", "A=2"),
    ("export A='x y'\n" + LINE, [put("env:A", "x z")], "'x y'", "'x z'"),
    ("export A=1\n" + LINE, [gone("env:A")], "export A=1\n", ""),
    ("A=1 B=2 \\\n" + LINE, [gone("env:A")], "A=1 B=2", "B=2"),
    ("A=1 \\\n" + LINE, [gone("env:A")], "A=1 \\\n", ""),
    ("NPROC_PER_NODE=2 \\\nswift sft --model a/b \\\n  --bf16 true\n", [put("num_processes", 4)],
     "NODE=2", "NODE=4"),
    ("swift sft --model a/b --packing true\n", [put("gradient_checkpointing", False)],
     "--packing true", "--packing true --gradient_checkpointing false"),
    ("llamafactory-cli train --stage sft --finetuning_type lora --model_name_or_path a/b \\\n"
     "  --bf16 \\\n  --lora_rank 8\n", [put("gradient_checkpointing", False)],
     "  --lora_rank 8", "  --disable_gradient_checkpointing \\\n  --lora_rank 8"),
    ("python3 -m verl.trainer.main_ppo actor_rollout_ref.actor.optim.lr=1e-6 \\\n"
     "  trainer.total_epochs=3\n", [put("num_epochs", 5)], "epochs=3", "epochs=5"),
    ("#SBATCH --nodes=2\nsrun torchrun --nproc_per_node 4 train.py --learning_rate 1e-5 --bf16 True"
     "\n", [put("num_machines", 4)], "nodes=2", "nodes=4"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "edits", "old", "new"), CASES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_edit_changes_its_own_token(
    text: str, edits: list[FieldEdit], old: str, new: str, line_end: str, tmp_path: Path
) -> None:
    text, old, new = (part.replace("\n", line_end) for part in (text, old, new))
    done = edit(text, *edits)
    assert [one.reason for one in done.outcomes] == [None] * len(edits)
    after = done.uploads[0].data.decode()
    assert after == text.replace(old, new, 1)
    (tmp_path / "run.sh").write_bytes(text.encode())
    git = ["git", "-c", "core.autocrlf=false"]
    subprocess.run([*git, "init", "-q", str(tmp_path)], check=True)
    subprocess.run([*git, "apply", "-"], cwd=tmp_path, input=done.diff.encode(), check=True)
    assert (tmp_path / "run.sh").read_bytes() == after.encode()


REFUSED = [
    (LINE + "SEED=1\n", put("lora_r", 8), "the script may know no --lora_r"),
    (LINE, put("compute_dtype", "fp16"), "follows from other settings"),
    (LINE.replace("2e-5", "${A}e-5"), put("learning_rate", 1e-4), "put together"),
    ("D=a/b\n" + LINE.replace('"a/b"', "$D").replace("'out dir'", "$D/out"),
     put("model_id", "c/d"), "would change --output_dir as well"),
    ("deepspeed train.py --learning_rate 1 --bf16 True\n", put("num_processes", 8), "no number"),
    ("cd x && " + LINE, put("env:A", "1"), "does not begin a line"),
    (LINE + "# x", put("env:A B", "1"), "no name of a variable"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "asked", "why"), REFUSED)
def test_an_edit_that_has_no_place_becomes_advice(text: str, asked: FieldEdit, why: str) -> None:
    done = edit(text, asked)
    assert not done.outcomes[0].applied
    assert why in (done.outcomes[0].reason or "")
    assert done.outcomes[0].advice
    assert done.diff == ""


def test_no_line_with_a_secret_is_in_the_diff() -> None:
    token = "hf_" + "aB3dE5gH7jK9mN1pQ3sT"
    text = f"export HF_TOKEN={token}\n" + LINE
    done = edit(text, put("learning_rate", 1e-4), put("env:HF_TOKEN", "x"))
    assert [one.applied for one in done.outcomes] == [True, False]
    assert token not in done.diff
