"""Several training runs of one script, and branches that the text leaves open."""

from __future__ import annotations

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.workload.script_texts import (
    RUN,
    TRL,
    field,
    values,
)
from workload.patch import edit_workload
from workload.read import read_workload

TWO = f"""{TRL}from trl import GRPOConfig, GRPOTrainer
warm = SFTConfig('warm', learning_rate=1e-4)
first = SFTTrainer(model='a/b', args=warm)
first.train()
warm.learning_rate = 5e-5
rest = GRPOConfig('rest', learning_rate=2e-6)
second = GRPOTrainer('a/b', lengths, args=rest)
second.train()
third = SFTTrainer(model='c/d', args=warm)
"""


@pytest.mark.parametrize(
    ("choice", "task", "rate", "model"),
    [
        (None, "grpo", 2e-6, "a/b"),
        ("#1", "sft", 1e-4, "a/b"),
        ("#2", "grpo", 2e-6, "a/b"),
        ("py_trl#3", "sft", 5e-5, "c/d"),
    ],
)
def test_each_trainer_of_a_script_is_a_run_of_its_own(
    choice: str | None, task: str, rate: float, model: str
) -> None:
    found = read_workload([Upload("train.py", TWO.encode())], dialect=choice)
    read = [found.value(name) for name in ("task", "learning_rate", "model_id")]
    assert read == [task, rate, model]
    told = [notice.message for notice in found.notices if "training runs" in notice.message]
    assert "2 GRPOTrainer (line 8)" in told[0]
    assert "--trainer N" in told[0]


@pytest.mark.parametrize("choice", ["#4", "#0", "#x", "#", "py_trl#9"])
def test_a_run_that_is_not_there_is_refused_with_the_list(choice: str) -> None:
    with pytest.raises(InputError) as refused:
        read_workload([Upload("train.py", TWO.encode())], dialect=choice)
    assert refused.value.remedy


def test_an_edit_is_made_in_the_run_that_was_chosen() -> None:
    edit = FieldEdit(field="learning_rate", value=3e-6)
    done = edit_workload([Upload("train.py", TWO.encode())], [edit], dialect="#2")
    assert "+rest = GRPOConfig('rest', learning_rate=3e-6)" in done.diff
    assert done.workload.value("task") == "grpo"


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("rate = 1e-4\nif maybe():\n    rate = 2e-4", ["0.0002 (line 5)", "0.0001 (line 3)"]),
        ("rate = 1e-4 if maybe() else 3e-4", ["0.0001", "0.0003"]),
        ("if maybe():\n    rate = 1\nelif more():\n    rate = 2\nelse:\n    rate = 3",
         ["1 (line 4)", "2 (line 6)", "3 (line 8)"]),
        ("rate = 1e-4\nif maybe():\n    rate = compute()", []),
    ],
)  # fmt: skip
def test_values_of_open_branches_are_all_told(before: str, told: list[str]) -> None:
    text = f"{TRL}from mine import maybe, more, compute\n{before}\n"
    found = field(f"{text}args = SFTConfig(learning_rate=rate)\n{RUN}", "learning_rate")
    assert (found.value, found.origin) == (None, "unknown")
    assert "depends on a condition" in (found.source or "")
    assert all(one in (found.source or "") for one in told)
    assert (" or " in (found.source or "")) is bool(told)


def test_the_main_guard_is_passed() -> None:
    text = (
        f"{TRL}from datasets import load_dataset\ndef main():\n    load_dataset('a/b')\n"
        "    SFTTrainer(model='a/b', args=SFTConfig(seed=3)).train()\n"
        "if __name__ == '__main__':\n    main()\nelse:\n    SFTConfig(seed=4)\n"
    )
    assert values(text, "datasets", "seed") == [["a/b"], 3]
