"""Edits of a training loop of a script's own that need a keyword of AdamW, or a statement."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.workload.notebooks import code, notebook, without_sources
from tests.workload.test_script_loops import torch_loop
from workload.patch import Edited, edit_workload

FUSED = "adamw_torch_fused"
LOAD = 'model = AutoModelForCausalLM.from_pretrained("a/b", torch_dtype=torch.bfloat16).cuda()'


def edit(text: str, field: str, value: Any) -> Edited:
    return edit_workload([Upload("train.py", text.encode())], [FieldEdit(field=field, value=value)])


def changed(text: str, done: Edited) -> list[str]:
    after = done.uploads[0].data.decode()
    lines = difflib.ndiff(text.splitlines(), after.splitlines())
    return [line for line in lines if line[:2] in ("+ ", "- ")]


def adamw(settings: str) -> str:
    return torch_loop(optimizer=f"torch.optim.AdamW(model.parameters(), lr=LR{settings})")


MADE = [
    (adamw(""), "optimizer", FUSED, [
        "- optimizer = torch.optim.AdamW(model.parameters(), lr=LR)",
        "+ optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)"]),
    (adamw(", fused=False"), "optimizer", FUSED, [
        "- optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=False)",
        "+ optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)"]),
    (adamw(", fused=True"), "optimizer", "adamw_torch", [
        "- optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)",
        "+ optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=False)"]),
    (torch_loop(), "gradient_checkpointing", True, ["+ model.gradient_checkpointing_enable()"]),
    (torch_loop(model="model.gradient_checkpointing_enable()"), "gradient_checkpointing", False,
     ["- model.gradient_checkpointing_enable()"]),
    (torch_loop(model="model = get_peft_model(model, LoraConfig(r=8))"),
     "gradient_checkpointing", True,
     ['+ model.gradient_checkpointing_enable('
      'gradient_checkpointing_kwargs={"use_reentrant": False})']),
    (torch_loop(), "torch_compile", True, ["+ model.compile()"]),
    (torch_loop(model="model.compile()"), "torch_compile", False, ["- model.compile()"]),
    (torch_loop(model="model = torch.compile(model)"), "torch_compile", False,
     ["- model = torch.compile(model)"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "value", "lines"), MADE)
@pytest.mark.parametrize("crlf", [False, True])
def test_the_place_is_beyond_doubt(
    text: str, field: str, value: Any, lines: list[str], crlf: bool
) -> None:
    text = text.replace("\n", "\r\n") if crlf else text
    done = edit(text, field, value)
    assert [one.reason for one in done.outcomes] == [None]
    assert sorted(changed(text, done)) == sorted(lines)
    assert done.workload.value(field) == value
    if crlf:
        assert b"\n" not in done.uploads[0].data.replace(b"\r\n", b"")


def test_the_statement_stands_right_behind_the_loading_one() -> None:
    text = torch_loop()
    after = edit(text, "gradient_checkpointing", True).uploads[0].data.decode().splitlines()
    assert after[after.index(LOAD) + 1] == "model.gradient_checkpointing_enable()"


ADVICE = [
    (adamw(", foreach=True"), "optimizer", FUSED, "foreach and fused exclude"),
    (torch_loop(optimizer="torch.optim.SGD(model.parameters(), lr=LR)"), "optimizer", FUSED, ""),
    (adamw(""), "optimizer", "adafactor", ""),
    (torch_loop().replace(LOAD, f"if fast:\n    {LOAD}\nelse:\n    {LOAD}"),
     "gradient_checkpointing", True, ""),
    (torch_loop().replace(LOAD, f"{LOAD}; print(1)"), "gradient_checkpointing", True, "other code"),
    (torch_loop().replace(LOAD, f"run.{LOAD}"), "gradient_checkpointing", True, ""),
    (torch_loop(model="model = get_peft_model(model, LoraConfig(r=8))"), "torch_compile", True,
     "an adapter"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "value", "reason"), ADVICE)
def test_elsewhere_it_is_advice(text: str, field: str, value: Any, reason: str) -> None:
    done = edit(text, field, value)
    assert not done.outcomes[0].applied
    assert reason in (done.outcomes[0].reason or "")
    assert done.outcomes[0].advice
    assert done.diff == ""


def test_a_loop_in_a_notebook_gets_the_statement_in_its_cell() -> None:
    head, _, tail = torch_loop().partition("\nloader")
    text = notebook(head.strip("\n"), f"loader{tail}")
    asked = [FieldEdit(field="gradient_checkpointing", value=True)]
    done = edit_workload([Upload("run.ipynb", text.encode())], asked)
    assert [one.reason for one in done.outcomes] == [None]
    after = done.uploads[0].data.decode()
    assert "model.gradient_checkpointing_enable()" in code(after)[1]
    assert code(after)[2] == code(text)[2]
    assert without_sources(after) == without_sources(text)
