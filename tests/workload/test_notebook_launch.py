"""Launch lines in notebooks: joined with the file that a cell writes, or read alone."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from tests.workload.notebooks import code, edit, notebook, read, without_sources

SCRIPT = """%%writefile src/finetune_it.py
import argparse

from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=5e-5)
parser.add_argument("--micro", type=int, default=1)
parser.add_argument("--steps", type=int, default=100)
given = parser.parse_args()
model = AutoModelForCausalLM.from_pretrained("org/model-1b")
args = TrainingArguments(
    "out", learning_rate=given.lr, per_device_train_batch_size=given.micro,
    max_steps=given.steps, gradient_accumulation_steps=2, bf16=True, deepspeed="zero.json",
)
Trainer(model=model, args=args, train_dataset=None).train()
"""
LINE = """%env NCCL_DEBUG=WARN
!torchrun --nproc_per_node 4 src/finetune_it.py \\
    --lr 1e-4 \\
    --micro 8
"""
BASH = """%%bash
export NCCL_DEBUG=WARN
torchrun --nproc_per_node 4 \\
    src/finetune_it.py --lr 1e-4 \\
    --micro 8
"""
ZERO = """%%writefile zero.json
{
  "zero_optimization": {"stage": 2},
  "gradient_accumulation_steps": 2,
  "bf16": {"enabled": true}
}
"""


def changed(before: str, after: str) -> list[str]:
    """The lines of cell sources that came or went."""
    found = []
    for one, other in zip(code(before), code(after), strict=True):
        pairs = difflib.ndiff(one.splitlines(), other.splitlines())
        found += [line for line in pairs if line[:1] in "+-"]
    return found


@pytest.mark.parametrize("launch", [LINE, BASH])
@pytest.mark.parametrize("options", [{}, {"listed": False, "indent": None}])
def test_a_command_is_joined_with_the_script_that_a_cell_writes(
    launch: str, options: dict[str, Any]
) -> None:
    workload = read(notebook(SCRIPT, ZERO, launch, **options))
    told = {name: (one.value, one.origin) for name, one in workload.fields.items()}
    assert workload.format == "py_hf_trainer"
    assert told["num_processes"] == (4, "stated")
    assert told["learning_rate"] == (1e-4, "stated")
    assert told["per_device_train_batch_size"] == (8, "stated")
    assert told["max_steps"] == (100, "default")
    assert told["gradient_accumulation_steps"] == (2, "stated")
    assert told["deepspeed_stage"] == (2, "stated")
    assert told["effective_batch"] == (64, "derived")
    assert told["env:NCCL_DEBUG"] == ("WARN", "stated")
    assert any("joined with the command" in one.message for one in workload.notices)
    assert not any(one.kind == "missing_file" for one in workload.notices)


def test_every_place_is_a_line_of_the_notebook() -> None:
    text = notebook(SCRIPT, ZERO, LINE)
    lines = text.splitlines()
    for name, words in (
        ("learning_rate", "--lr 1e-4"),
        ("num_processes", "--nproc_per_node 4"),
        ("gradient_accumulation_steps", "gradient_accumulation_steps=2"),
        ("deepspeed_stage", "stage"),
        ("env:NCCL_DEBUG", "NCCL_DEBUG=WARN"),
        ("max_steps", "--steps"),
    ):
        found = read(text).fields[name]
        assert found.file == "run.ipynb", name
        assert words in lines[(found.line or 0) - 1], name


EDITS = [
    ("learning_rate", 2e-4, ["-     --lr 1e-4 \\", "+     --lr 2e-4 \\"]),
    ("num_processes", 2, ["- !torchrun --nproc_per_node 4 src/finetune_it.py \\",
                          "+ !torchrun --nproc_per_node 2 src/finetune_it.py \\"]),
    ("max_steps", 50, [
        '- parser.add_argument("--steps", type=int, default=100)',
        '+ parser.add_argument("--steps", type=int, default=50)']),
    ("deepspeed_stage", 3, ['-   "zero_optimization": {"stage": 2},',
                            '+   "zero_optimization": {"stage": 3},']),
    ("env:NCCL_DEBUG", "INFO", ["- %env NCCL_DEBUG=WARN", "+ %env NCCL_DEBUG=INFO"]),
    ("env:OMP_NUM_THREADS", "8", [
        "- !torchrun --nproc_per_node 4 src/finetune_it.py \\",
        "+ !OMP_NUM_THREADS=8 torchrun --nproc_per_node 4 src/finetune_it.py \\"]),
]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"listed": False, "ascii_only": True, "indent": None}])
@pytest.mark.parametrize(("name", "value", "lines"), EDITS)
def test_an_edit_goes_to_the_cell_that_says_it(
    name: str, value: object, lines: list[str], options: dict[str, Any]
) -> None:
    text = notebook(SCRIPT, ZERO, LINE, **options)
    done = edit(text, FieldEdit(field=name, value=value))
    after = done.uploads[0].data.decode()
    assert [one.applied for one in done.outcomes] == [True], done.outcomes
    assert [line for line in changed(text, after) if line.strip("+- ")] == lines
    assert without_sources(after) == without_sources(text)
    assert done.workload.value(name) == value


def test_a_number_that_two_cells_must_agree_on_changes_in_both() -> None:
    text = notebook(SCRIPT, ZERO, LINE)
    done = edit(text, gradient_accumulation_steps=4)
    assert done.outcomes[0].applied, done.outcomes
    assert len(changed(text, done.uploads[0].data.decode())) == 4
    assert done.workload.value("effective_batch") == 128


def test_an_export_goes_above_the_line_of_a_bash_cell() -> None:
    text = notebook(SCRIPT, ZERO, BASH)
    done = edit(text, FieldEdit(field="env:OMP_NUM_THREADS", value="8"))
    assert done.outcomes[0].applied, done.outcomes
    assert changed(text, done.uploads[0].data.decode()) == ["+ export OMP_NUM_THREADS=8"]


RECIPE = """%%writefile conf/sft.yaml
model_name_or_path: a/b
dataset_name: c/d
per_device_train_batch_size: 2
gradient_accumulation_steps: 1
learning_rate: 2.0e-4
max_length: 1024
"""
ACCELERATE = """%%writefile acc.yaml
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
fsdp_config:
  fsdp_sharding_strategy: FULL_SHARD
mixed_precision: bf16
num_machines: 1
num_processes: 8
"""


def test_a_recipe_takes_the_options_and_the_accelerate_config_of_its_command() -> None:
    line = "!accelerate launch --config_file acc.yaml sft.py --config conf/sft.yaml --seed 7"
    workload = read(notebook("!pip install trl", RECIPE, ACCELERATE, line))
    assert workload.format == "trl_recipe_yaml"
    assert (workload.value("num_processes"), workload.value("seed")) == (8, 7)
    assert workload.value("fsdp")
    assert workload.value("bf16") is True
    assert workload.value("effective_batch") == 16


def test_each_command_is_a_shell_of_its_own_and_sees_the_constants_of_the_cells() -> None:
    cells = (
        "import os\nn_gpus = 2\nlr, twice = 1e-3, 5\nos.environ['NCCL_ALGO'] = 'Ring'",
        SCRIPT,
        "!SEED=3; echo $SEED",
        "!torchrun --nproc_per_node={n_gpus} src/finetune_it.py --lr {lr} --micro $SEED",
    )
    text = notebook(*cells)
    fields = read(text).fields
    assert fields["num_processes"].value == 2
    assert "n_gpus = 2" in text.splitlines()[(fields["num_processes"].line or 0) - 1]
    assert fields["env:NCCL_ALGO"].value == "Ring"
    assert fields["learning_rate"].origin == "unknown"
    assert fields["per_device_train_batch_size"].origin == "unknown"
    done = edit(text, num_processes=4)
    lines = changed(text, done.uploads[0].data.decode())
    assert lines == ["- n_gpus = 2", "+ n_gpus = 4"]


def test_a_script_that_no_command_launches_says_so() -> None:
    workload = read(notebook(SCRIPT, ZERO, "!torchrun --nproc_per_node 4 other_train.py --lr 1"))
    assert workload.value("learning_rate") == 5e-5
    assert "num_processes" not in workload.fields
    assert any("no command of the notebook launches it" in one.message for one in workload.notices)


def test_a_notebook_that_launches_a_script_of_elsewhere_is_a_launcher() -> None:
    line = (
        "!accelerate launch --num_processes 2 trl/scripts/sft.py \\\n"
        "    --model_name_or_path a/b --learning_rate 1e-4 \\\n"
        "    --per_device_train_batch_size 4 --bf16\n"
    )
    text = notebook("!git clone https://github.com/huggingface/trl", line)
    workload = read(text)
    assert workload.format == "sh_launcher"
    assert workload.format_reason == "accelerate starts trl/scripts/sft.py (cell 3)"
    assert workload.value("num_processes") == 2
    assert workload.value("learning_rate") == 1e-4
    found = workload.fields["learning_rate"]
    assert (found.file, "--learning_rate" in text.splitlines()[(found.line or 0) - 1]) == (
        "run.ipynb",
        True,
    )
    done = edit(text, learning_rate=2e-4)
    after = done.uploads[0].data.decode()
    assert done.outcomes[0].applied
    assert [line[:2] for line in changed(text, after)] == ["- ", "+ "]
    assert without_sources(after) == without_sources(text)


def test_a_launch_script_that_a_cell_writes_is_joined_where_it_is_called() -> None:
    script = BASH.replace("%%bash\n", "%%writefile go.sh\n")
    called = notebook(SCRIPT, ZERO, script, "!bash go.sh")
    assert read(called).value("num_processes") == 4
    assert read(called).value("per_device_train_batch_size") == 8
    done = edit(called, num_processes=2)
    assert [line[:2] for line in changed(called, done.uploads[0].data.decode())] == ["- ", "+ "]
    assert "num_processes" not in read(notebook(SCRIPT, ZERO, script)).fields


def test_a_command_with_an_open_quote_takes_no_other_in() -> None:
    workload = read(notebook(SCRIPT, ZERO, "!echo don't", LINE))
    assert workload.value("num_processes") == 4


def test_a_command_under_a_condition_of_python_says_so() -> None:
    line = "if fast:\n    !torchrun --nproc_per_node 4 src/finetune_it.py --lr 1e-4\n"
    workload = read(notebook(SCRIPT, ZERO, line))
    assert workload.value("num_processes") == 4
    assert any("under a condition" in one.message for one in workload.notices)
