from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from audit.records.errors import InputError
from workload.detect import detect_dialect, text_kind
from workload.dialects import DIALECTS, load_dialect
from workload.source import SourceText

ROOT = Path(__file__).resolve().parents[2]
AXOLOTL = "base_model: a/b\ndatasets:\n  - path: c\nmicro_batch_size: 1\n"
FACTORY = "model_name_or_path: a/b\nstage: sft\ntemplate: qwen\n"
SCRIPT = "from trl import SFTConfig, SFTTrainer\nargs = SFTConfig(output_dir='x')\n"


def detected(text: str, name: str = "file", wanted: str | None = None) -> str:
    return detect_dialect(SourceText(name, text), wanted).dialect.format


@pytest.mark.parametrize("name", ["run.yml", "run.py", "run.json", "run", "run.txt"])
@pytest.mark.parametrize(
    ("text", "format_id"),
    [
        (AXOLOTL, "axolotl_yaml"),
        (FACTORY, "llamafactory_yaml"),
        (SCRIPT, "py_trl"),
        ('{"base_model": "a", "micro_batch_size": 1, "sequence_len": 5}', "axolotl_yaml"),
        ("{base_model: a, micro_batch_size: 1, sequence_len: 5}", "axolotl_yaml"),
        ('{"zero_optimization": {"stage": 2}}', "deepspeed_json"),
        ("# import os\n" + AXOLOTL, "axolotl_yaml"),
        ("#!/usr/bin/env python\n" + SCRIPT, "py_trl"),
    ],
)
def test_the_content_decides_whatever_the_name(text: str, format_id: str, name: str) -> None:
    assert detected(text, name) == format_id


def test_every_detection_says_why_and_how_sure() -> None:
    found = detect_dialect(SourceText("x.yml", AXOLOTL))
    assert 0.5 <= found.detection.score <= 1
    assert "base_model" in found.detection.reason


@pytest.mark.parametrize("wanted", ["axolotl_yaml", "axolotl", "Axolotl"])
def test_the_user_may_choose(wanted: str) -> None:
    assert detected("sequence_len: 512\n", "x", wanted) == "axolotl_yaml"


def test_an_unknown_choice_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="axolotl_yaml"):
        detected(AXOLOTL, "x", "nonsense")


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ('{"architectures": ["A"], "model_type": "a"}', "config.json", "a model's config.json"),
        ('{"cells": [], "nbformat": 4}', "a.json", "notebook"),
        ('[{"instruction": "a", "output": "b"}]', "data.json", "top level is a list"),
        ('{"instruction": "a"}\n{"instruction": "b"}\n', "data.json", "JSON lines"),
        ('{"zero_optimization": {"stage": 2,}', "ds.json", "never closed"),
        ('{"learning_rate": {{ rate }}}', "args.json", "template"),
        ("model_name_or_path: x\ndataset_name: y\n", "sft.yaml", "TRL recipe"),
        ('{"cells": [], "nbformat": 4}', "a.ipynb", "notebook"),
        (
            "#!/bin/bash\nexport A=1\npython serve.py --port 1\n",
            "run.sh",
            "launches a training run",
        ),
        ("services:\n  web:\n    image: x\n", "compose.yml", "services"),
        ("x = 1\nprint(x)\n", "x.py", "SFTConfig"),
        ("just some words\n", "notes.txt", "single value"),
    ],
)
def test_what_is_not_read_is_named_with_what_is(text: str, name: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        detected(text, name)
    assert words in caught.value.reason
    assert caught.value.remedy
    assert caught.value.file == name


def test_kinds_of_text() -> None:
    assert text_kind(SourceText("x", '{"a": 1}')) == "json"
    assert text_kind(SourceText("x", "{a: 1}")) == "json"
    assert text_kind(SourceText("x", AXOLOTL)) == "yaml"
    assert text_kind(SourceText("x", SCRIPT)) == "python"
    assert (
        text_kind(SourceText("x", "chat_template: |\n  import os\n  def f(): pass\nb: 1\n"))
        == "yaml"
    )


def test_every_entry_of_the_table_loads_and_fits() -> None:
    for format_id in DIALECTS:
        dialect = load_dialect(format_id)
        assert dialect.format == format_id
        assert dialect.framework


@pytest.mark.parametrize(
    ("text", "unwanted"),
    [(AXOLOTL, "workload.dialects.script"), (SCRIPT, "workload.dialects.yaml_dialect")],
)
def test_only_dialects_of_the_kind_are_imported(text: str, unwanted: str) -> None:
    code = (
        "import sys\n"
        "from audit.records.upload import Upload\n"
        "from workload.read import read_workload\n"
        f"read_workload([Upload('x', {text.encode()!r})])\n"
        f"assert {unwanted!r} not in sys.modules, 'imported'\n"
        "heavy = {'libcst', 'numpy', 'gradio', 'pandas', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
