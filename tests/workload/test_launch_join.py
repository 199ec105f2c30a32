"""A launcher beside the file that it launches: options, ranks and variables, and who wins."""

from __future__ import annotations

import json
from typing import Any

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import edit_workload
from workload.read import read_workload

SCRIPT = """import argparse
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
parser = argparse.ArgumentParser()
parser.add_argument("--learning_rate", type=float, default=3e-4)
parser.add_argument("--batch", type=int, default=1)
given = parser.parse_args()
model = AutoModelForCausalLM.from_pretrained("a/b")
args = TrainingArguments("o", learning_rate=given.learning_rate, bf16=True,
                         per_device_train_batch_size=2, gradient_accumulation_steps=given.batch)
Trainer(model=model, args=args).train()
"""
LAUNCH = """export NCCL_DEBUG=WARN
accelerate launch --num_processes 8 src/train.py \\
  --learning_rate 1e-5 --bf16 False \\
  --logging_steps 5
"""
DEEPSPEED = json.dumps({"zero_optimization": {"stage": 2}, "train_micro_batch_size_per_gpu": 4})
YAML = """model_name_or_path: a/b
stage: sft
finetuning_type: lora
lora_rank: 8
cutoff_len: 512
learning_rate: 1.0e-4
"""


def uploads(**files: str) -> list[Upload]:
    return [Upload(name.replace("__", "."), text.encode()) for name, text in files.items()]


def read(**files: str) -> Workload:
    return read_workload(uploads(**files))


def said(workload: Workload, name: str) -> tuple[Any, ...]:
    found = workload.fields[name]
    return found.value, found.origin, found.file, found.line


def test_an_option_wins_over_the_default_of_the_script_and_nothing_else() -> None:
    workload = read(train__py=SCRIPT, run__sh=LAUNCH)
    assert (workload.name, workload.format) == ("train.py", "py_hf_trainer")
    assert said(workload, "learning_rate") == (1e-5, "stated", "run.sh", 3)
    assert said(workload, "bf16") == (True, "stated", "train.py", 8)
    assert said(workload, "num_processes") == (8, "stated", "run.sh", 2)
    assert said(workload, "env:NCCL_DEBUG") == ("WARN", "stated", "run.sh", 1)
    assert workload.value("effective_batch") == 16
    told = [one.message for one in workload.notices if one.kind == "conflict"]
    assert told == [
        "--bf16 is False in run.sh and True in train.py: the script does not take it from there"
    ]


def test_an_edit_goes_to_the_file_whose_value_holds() -> None:
    asked = [
        FieldEdit(field="learning_rate", value=2e-5),
        FieldEdit(field="per_device_train_batch_size", value=4),
    ]
    done = edit_workload(uploads(train__py=SCRIPT, run__sh=LAUNCH), asked)
    assert [one.reason for one in done.outcomes] == [None, None]
    script, launcher = (upload.data.decode() for upload in done.uploads)
    assert launcher == LAUNCH.replace("1e-5", "2e-5")
    assert script == SCRIPT.replace("batch_size=2", "batch_size=4")
    assert "--- a/run.sh" in done.diff
    assert "--- a/train.py" in done.diff


def test_a_launcher_of_another_file_is_told_of_and_left_out() -> None:
    workload = read(train__py=SCRIPT, run__sh=LAUNCH.replace("train.py", "pretrain.py"))
    assert "num_processes" not in workload.fields
    assert any("launches another file" in one.message for one in workload.notices)


def test_options_win_over_the_config_that_the_line_names() -> None:
    line = "NPROC_PER_NODE=4 llamafactory-cli train conf/x.yaml learning_rate=5e-5\n"
    workload = read(x__yaml=YAML, run__sh=line)
    assert workload.format == "llamafactory_yaml"
    assert said(workload, "learning_rate") == (5e-5, "stated", "run.sh", 1)
    assert workload.value("num_processes") == 4
    assert workload.value("lora_r") == 8


def test_a_launcher_alone_uses_the_deepspeed_config_that_it_names() -> None:
    line = (
        "deepspeed --num_gpus 2 train.py --per_device_train_batch_size 4 --learning_rate 1e-5 "
        "--logging_steps 1 --deepspeed conf/ds.json\n"
    )
    workload = read(run__sh=line, ds__json=DEEPSPEED)
    assert workload.format == "sh_launcher"
    assert said(workload, "deepspeed_stage") == (2, "stated", "ds.json", 1)
    assert workload.value("effective_batch") == 8
    alone = read(run__sh=line)
    assert any("ds.json, which was not uploaded" in one.message for one in alone.notices)


OWN = """import argparse
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
parser = argparse.ArgumentParser()
parser.add_argument("-m", "--micro-size", type=int, default=1)
parser.add_argument("--rounds", type=float, default=3)
parser.add_argument("--ckpt", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("--warm", type=int, default=5)
given = parser.parse_args()
model = AutoModelForCausalLM.from_pretrained("a/b")
args = TrainingArguments("o", per_device_train_batch_size=given.micro_size, bf16=True,
                         num_train_epochs=given.rounds, warmup_steps=given.warm,
                         gradient_checkpointing=given.ckpt)
Trainer(model=model, args=args).train()
"""
STARTED = "torchrun --nproc_per_node 2 train.py -m 8 \\\n  --rounds 2 --no-ckpt --warm $W\n"


def test_options_of_the_scripts_own_names_are_what_the_script_makes_of_them() -> None:
    workload = read(train__py=OWN, run__sh=STARTED)
    assert said(workload, "per_device_train_batch_size") == (8, "stated", "run.sh", 1)
    assert said(workload, "num_epochs") == (2, "stated", "run.sh", 2)
    assert said(workload, "gradient_checkpointing")[:3] == (False, "stated", "run.sh")
    assert workload.fields["warmup_steps"].origin == "unknown"
    assert workload.value("effective_batch") == 16
    alone = read(train__py=OWN)
    assert said(alone, "num_epochs")[:2] == (3, "default")


def test_such_an_option_is_edited_in_the_launcher_and_a_default_in_the_script() -> None:
    files = uploads(train__py=OWN, run__sh=STARTED)
    done = edit_workload(files, [FieldEdit(field="per_device_train_batch_size", value=4)])
    assert [one.reason for one in done.outcomes] == [None]
    assert done.uploads[1].data.decode() == STARTED.replace("-m 8", "-m 4")
    assert done.uploads[0].data.decode() == OWN
    assert done.workload.value("effective_batch") == 8
    short = uploads(train__py=OWN, run__sh="python train.py -m 8\n")
    done = edit_workload(short, [FieldEdit(field="num_epochs", value=1)])
    assert [one.reason for one in done.outcomes] == [None]
    assert done.uploads[0].data.decode() == OWN.replace("default=3", "default=1")


def test_a_function_behind_fire_takes_the_options_as_its_parameters() -> None:
    script = (
        "import fire\nfrom transformers import Trainer, TrainingArguments\n"
        "def main(micro: int = 1, rate: float = 1e-5):\n"
        "    args = TrainingArguments('o', per_device_train_batch_size=micro, learning_rate=rate)\n"
        "    Trainer(model='a/b', args=args).train()\n"
        "fire.Fire(main)\n"
    )
    workload = read(train__py=script, run__sh="python train.py --micro=16\n")
    assert said(workload, "per_device_train_batch_size") == (16, "stated", "run.sh", 1)
    assert said(workload, "learning_rate")[:2] == (1e-5, "default")
