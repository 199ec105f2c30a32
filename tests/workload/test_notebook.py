"""Notebooks: read cell by cell, edited inside their JSON, everything else kept byte for byte."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from tests.workload.notebooks import code, edit, notebook, read, without_sources

INSTALL = """%%capture
!pip install -q "transformers==4.57.6" \\
    "trl==0.24.0" peft
%env TOKENIZERS_PARALLELISM=false
%env CACHE=$HOME/cache
"""
LOAD = """from trl import SFTConfig, SFTTrainer
# “Größe”: 한국어, with a \\ in it
model_id, out = "Qwen/Qwen2.5-7B", 'C:\\\\runs\\tone'
if True:
    !nvidia-smi
files = !ls
"""
TRAIN = """args = SFTConfig(
    output_dir=out,
    per_device_train_batch_size=2,  # fits
    learning_rate=2e-4,
    max_length=2048,
)
trainer = SFTTrainer(model=model_id, args=args)
trainer.train()"""
FORMS = [
    pytest.param({"listed": True}, id="lines"),
    pytest.param({"listed": False}, id="one string"),
    pytest.param({"listed": True, "ascii_only": True}, id="escapes"),
    pytest.param({"listed": False, "ascii_only": True, "indent": None}, id="one line"),
    pytest.param({"listed": True, "indent": 4}, id="four blanks"),
]


@pytest.mark.parametrize("form", FORMS)
def test_cells_are_read_in_order_with_their_commands(form: dict[str, Any]) -> None:
    workload = read(notebook(INSTALL, LOAD, TRAIN, **form))
    assert workload.format == "ipynb_trl"
    assert workload.value("model_id") == "Qwen/Qwen2.5-7B"
    assert workload.value("per_device_train_batch_size") == 2
    assert workload.value("learning_rate") == 2e-4
    assert (workload.versions["transformers"], workload.versions["trl"]) == ("4.57.6", "0.24.0")
    assert workload.versions_origin == "stated"
    assert workload.value("env:TOKENIZERS_PARALLELISM") == "false"
    assert workload.fields["env:CACHE"].origin == "unknown"


def test_a_place_is_a_line_of_the_file_and_a_cell() -> None:
    text = notebook(INSTALL, LOAD, TRAIN)
    workload = read(text)
    for name in ("learning_rate", "model_id", "max_seq_len", "env:TOKENIZERS_PARALLELISM"):
        found = workload.fields[name]
        assert found.line is not None
        assert str(found.value) in text.splitlines()[found.line - 1].replace("2e-4", "0.0002")
    assert workload.fields["learning_rate"].source == "cell 4, line 4"
    assert "cell 4, line 1" in workload.format_reason


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("edits", "old", "new"),
    [
        ([FieldEdit(field="learning_rate", value=1e-4)], "2e-4", "1e-4"),
        (
            [FieldEdit(field="gradient_checkpointing", value=True)],
            "    max_length=2048,\n",
            "    max_length=2048,\n    gradient_checkpointing=True,\n",
        ),
        ([FieldEdit(field="max_seq_len", remove=True)], "    max_length=2048,\n", ""),
        (
            [FieldEdit(field="model_id", value='a/"b"\\ü')],
            '"Qwen/Qwen2.5-7B"',
            '"a/\\"b\\"\\\\ü"',
        ),
        ([FieldEdit(field="env:TOKENIZERS_PARALLELISM", value="true")], "=false", "=true"),
        (
            [
                FieldEdit(field="per_device_train_batch_size", value=4),
                FieldEdit(field="bf16", value=True),
                FieldEdit(field="learning_rate", remove=True),
            ],
            "_size=2,  # fits\n    learning_rate=2e-4,\n    max_length=2048,\n",
            "_size=4,  # fits\n    max_length=2048,\n    bf16=True,\n",
        ),
    ],
)
def test_an_edit_changes_one_cell_and_git_takes_it(
    form: dict[str, Any], edits: list[FieldEdit], old: str, new: str, tmp_path: Path
) -> None:
    text = notebook(INSTALL, LOAD, TRAIN, **form)
    done = edit(text, *edits)
    assert [one.reason for one in done.outcomes] == [None] * len(edits)
    after = done.uploads[0].data.decode()
    assert code(after) == [source.replace(old, new) for source in code(text)]
    assert without_sources(after) == without_sources(text)
    assert after.isascii() == text.isascii()
    if form["listed"]:
        for one in json.loads(after)["cells"]:
            assert one["source"] == "".join(one["source"]).splitlines(keepends=True)
    (tmp_path / "run.ipynb").write_text(text)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.diff.encode(), check=True)
    assert (tmp_path / "run.ipynb").read_text() == after


def test_the_first_and_the_last_lines_of_a_cell_can_go_and_come() -> None:
    head = "from trl import SFTConfig, SFTTrainer\n"
    first = "args = SFTConfig(output_dir='x')\nargs.max_length = 512"
    text = notebook(head, first, "SFTTrainer(model='a/b', args=args).train()")
    done = edit(text, FieldEdit(field="max_seq_len", remove=True))
    assert code(done.uploads[0].data.decode())[2] == "args = SFTConfig(output_dir='x')\n"
    back = edit(done.uploads[0].data.decode(), packing=True)
    assert "SFTConfig(output_dir='x', packing=True)\n" in code(back.uploads[0].data.decode())[2]


def test_a_python_cell_magic_keeps_the_cell_and_others_hide_it() -> None:
    timed = "%%time\n" + TRAIN.replace("model=model_id", "model='a/b'").replace("=out", "='o'")
    head = "from trl import SFTConfig, SFTTrainer"
    assert read(notebook(head, timed)).value("max_seq_len") == 2048
    with pytest.raises(InputError, match="the notebook makes no training run"):
        read(notebook(head, timed.replace("%%time", "%%javascript")))


def test_a_line_that_only_looks_like_a_command_is_python() -> None:
    tricky = 'text = """\n!pip install trl==0.1.0\n%env A=1\n"""\nsize = (17\n % 5)\n'
    workload = read(notebook(tricky, LOAD, TRAIN.replace("=2,", "=size,")))
    assert workload.value("per_device_train_batch_size") == 2
    assert "env:A" not in workload.fields
    assert workload.versions["trl"] != "0.1.0"


def test_what_the_shell_gives_back_is_unknown() -> None:
    text = notebook("size = !nproc\nrate = %sx echo 1", LOAD, TRAIN.replace("=2,", "=size,"))
    assert read(text).fields["per_device_train_batch_size"].origin == "unknown"


def test_a_comment_behind_env_is_part_of_its_value() -> None:
    workload = read(notebook("%env FLAG=1 # on", LOAD, TRAIN))
    assert workload.value("env:FLAG") == "1 # on"
    assert any("part of the value" in one.message for one in workload.notices)


def test_a_cell_that_is_no_python_is_left_out_and_told_of() -> None:
    workload = read(notebook("max_length = ...\nfor all x:", LOAD, TRAIN))
    assert workload.value("max_seq_len") == 2048
    assert any("cell 2 is no Python" in one.message for one in workload.notices)


def test_quotes_inside_an_f_string_of_python_3_12_are_read() -> None:
    line = 'print(f"{row["text"]} {"\\n".join(names)} {{x}}")\n'
    assert read(notebook(line + LOAD, TRAIN)).value("max_seq_len") == 2048


def test_nbformat_3_is_read_and_edited() -> None:
    old = {"cell_type": "code", "language": "python", "outputs": []}
    heading = {"cell_type": "heading", "level": 1, "source": "Title"}
    cells = [heading, *({**old, "input": text.splitlines(True)} for text in (LOAD, TRAIN))]
    text = json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]}, indent=1)
    assert read(text).value("learning_rate") == 2e-4
    after = edit(text, learning_rate=1e-4).uploads[0].data.decode()
    assert after == text.replace("learning_rate=2e-4", "learning_rate=1e-4")


def test_a_secret_in_an_output_is_reported_and_in_no_diff() -> None:
    token = "hf_" + "aB3dE5gH7jK9mN1pQ3sT"
    text = notebook(INSTALL, LOAD, TRAIN).replace("loss 1.0", f"logged in with {token}")
    workload = read(text)
    lines = [one.line for one in workload.notices if one.kind == "secret"]
    assert lines
    assert all(line and token in text.splitlines()[line - 1] for line in lines)
    done = edit(text, max_seq_len=1024)
    assert token not in done.diff
    assert token not in workload.model_dump_json()
    assert token in done.uploads[0].data.decode()


def test_the_trainer_of_transformers_makes_the_other_format() -> None:
    head = "from transformers import Trainer, TrainingArguments\n"
    run = "Trainer(model=m, args=TrainingArguments(output_dir='o', max_steps=3)).train()"
    assert read(notebook(head, run)).format == "ipynb_hf_trainer"


LOOP = """import torch
from torch import nn
net = nn.Linear(8, 8)
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-4)
for batch in torch.utils.data.DataLoader(rows, batch_size=16):
    loss = net(batch).mean()
    loss.backward()
    optimizer.step()
"""


def test_a_training_loop_in_a_notebook_is_read_and_edited() -> None:
    text = notebook("%pip install torch", LOOP)
    workload = read(text)
    assert (workload.format, workload.value("learning_rate")) == ("ipynb_torch", 3e-4)
    after = edit(text, learning_rate=1e-4).uploads[0].data.decode()
    assert after == text.replace("lr=3e-4", "lr=1e-4")


RECIPE = """%%writefile conf/sft.yaml
model_name_or_path: a/b
dataset_name: c/d
per_device_train_batch_size: 2
learning_rate: 2.0e-4
max_length: 1024
gradient_checkpointing: true
"""
SCRIPT = "%%writefile train.py\nfrom trl import SFTConfig, SFTTrainer\n" + TRAIN.replace(
    "=out", "='o'"
).replace("=model_id", "='a/b'")


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    ("file", "format_id", "old", "new"),
    [
        (RECIPE, "trl_recipe_yaml", "learning_rate: 2.0e-4", "learning_rate: 0.0001"),
        (SCRIPT, "py_trl", "learning_rate=2e-4", "learning_rate=1e-4"),
    ],
)
def test_a_file_that_a_cell_writes_is_read_and_edited(
    file: str, format_id: str, old: str, new: str, listed: bool
) -> None:
    text = notebook("!pip install trl", file, "!trl sft --config conf/sft.yaml", listed=listed)
    workload = read(text)
    assert workload.format == format_id
    assert workload.value("learning_rate") == 2e-4
    found = workload.fields["per_device_train_batch_size"]
    assert found.file == "run.ipynb"
    assert "per_device_train_batch_size" in text.splitlines()[(found.line or 0) - 1]
    assert any("cell 3 writes" in one.message for one in workload.notices)
    done = edit(text, learning_rate=1e-4)
    after = done.uploads[0].data.decode()
    assert code(after) == [source.replace(old, new) for source in code(text)]
    assert without_sources(after) == without_sources(text)


DEEP = '{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}"
HOSTILE = [
    pytest.param(DEEP, "nested", id="deep"),
    pytest.param('{"cells": 1, "nbformat": 4}', "no list of cells", id="no cells"),
    pytest.param('{"nbformat": 4}', "no list of cells", id="empty"),
    pytest.param(notebook(LOAD).replace("{", "{ // x\n", 1), "a comment", id="comment"),
    pytest.param(notebook(LOAD, TRAIN)[:-200], "", id="cut off"),
    pytest.param(notebook(LOAD, TRAIN + "\x00"), "makes no training run", id="NUL in a cell"),
    pytest.param(notebook("(" * 5_000), "makes no training run", id="brackets"),
    pytest.param(
        notebook(LOAD, TRAIN).replace('"language": "python"', '"language": "R"'), "is r", id="R"
    ),
    pytest.param(json.dumps({"cells": [{}, 1, [], {"cell_type": "code", "source": [1]}]}),
                 "makes no training run", id="odd cells"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), HOSTILE)
def test_a_hostile_notebook_ends_in_a_clear_message(text: str, says: str) -> None:
    started = time.process_time()
    with pytest.raises(InputError) as caught:
        read(text)
    assert time.process_time() - started < 2
    assert says in caught.value.reason
    assert caught.value.file == "run.ipynb"


def test_five_megabytes_on_one_line_are_read_and_more_is_refused() -> None:
    big = notebook(LOAD, TRAIN, indent=None).replace("loss 1.0", "x" * 4_900_000, 1)
    started = time.process_time()
    assert read(big).value("max_seq_len") == 2048
    assert time.process_time() - started < 2
    with pytest.raises(InputError, match="the limit is 5,000,000"):
        read(big.replace("xxxx", "xxxxx"))


def test_a_homoglyph_keyword_counts_as_python_counts_it() -> None:
    text = notebook(LOAD, TRAIN.replace("learning_rate", "ｌearning_rate"))
    assert read(text).value("learning_rate") == 2e-4


def test_a_timed_statement_is_python_and_edited_in_its_place() -> None:
    text = notebook(
        LOAD,
        "args = SFTConfig(out, learning_rate=1e-4)",
        "%time SFTTrainer(model=model_id, args=args, max_seq_length=512).train()",
    )
    assert read(text).value("max_seq_len") == 512
    done = edit(text, max_seq_len=256)
    assert done.outcomes[0].applied, done.outcomes
    assert code(done.uploads[0].data.decode())[-1] == (
        "%time SFTTrainer(model=model_id, args=args, max_seq_length=256).train()"
    )
