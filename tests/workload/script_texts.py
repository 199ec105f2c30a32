"""Scripts for the tests: the lines that many begin with, and how they are read and edited."""

from __future__ import annotations

import difflib
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import FieldValue, Workload
from workload.patch import Edited, edit_workload
from workload.read import read_workload

FOLDER = Path(__file__).parent / "scripts"
TRL = "from trl import SFTConfig, SFTTrainer\n"
HF = "from transformers import AutoModelForCausalLM, Trainer, TrainingArguments\n"
PEFT = "from peft import LoraConfig, get_peft_model\n"
RUN = "SFTTrainer(model='a/b', args=args).train()\n"


def read(text: str, **versions: str) -> Workload:
    return read_workload([Upload("train.py", textwrap.dedent(text).encode())], versions=versions)


def field(text: str, name: str) -> FieldValue:
    return read(text).fields[name]


def values(text: str, *names: str) -> list[Any]:
    fields = read(text).fields
    return [fields[name].value if name in fields else None for name in names]


def fixture(name: str) -> str:
    return (FOLDER / f"{name}.py.txt").read_text(encoding="utf-8")


def edit(text: str, *edits: FieldEdit, **values: Any) -> Edited:
    asked = [*edits, *(FieldEdit(field=name, value=value) for name, value in values.items())]
    return edit_workload([Upload("train.py", text.encode())], asked)


def changed(text: str, folder: Path, *edits: FieldEdit, **values: Any) -> list[str]:
    """The lines that come and go, after `git apply` has made of the text what the edit says."""
    done = edit(text, *edits, **values)
    assert [outcome.reason for outcome in done.outcomes if not outcome.applied] == []
    (folder / "train.py").write_bytes(text.encode())
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    command = ["git", "apply", "-"]
    subprocess.run(command, cwd=folder, input=done.diff.encode(), check=True)
    after = (folder / "train.py").read_bytes()
    assert after == done.uploads[0].data
    for name, value in values.items():
        assert done.workload.value(name) == value or value in (None, False)
    lines = difflib.ndiff(text.splitlines(), after.decode().splitlines())
    return [line for line in lines if line[:2] in ("+ ", "- ")]
