"""Whatever stands in a .py file ends in a reading or in one clear message, and soon."""

from __future__ import annotations

import pytest

from audit.records.errors import InputError
from audit.records.upload import Upload
from tests.ends import ends
from workload.dialects import load_dialect
from workload.read import read_workload
from workload.source import SourceText

START = "from trl import SFTConfig, SFTTrainer\nargs = SFTConfig(seed=3)\n"
END = "\nSFTTrainer(model='a/b', args=args).train()\n"
"""Far above what any of these takes (0.3 s here), for a slow machine."""


def tower(opening: str, body: str, closing: str) -> str:
    """Forty displays, each of two hundred times the one before."""
    parts = [f"d{at + 1} = {opening}{body.replace('{0}', str(at))}{closing}" for at in range(40)]
    return "\n".join(["d0 = 1", *parts, "args.model_init_kwargs = d40", "args.report_to = d40"])


def refusal(text: str, name: str = "train.py") -> InputError:
    with pytest.raises(InputError) as caught:
        read_workload([Upload(name, text.encode())])
    assert "Traceback" not in str(caught.value)
    return caught.value


def test_a_syntax_error_has_its_place() -> None:
    error = refusal(START + "x = = 2\n" + END)
    assert (error.file, error.line) == ("train.py", 3)
    assert error.column is not None
    assert error.remedy


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('print "training", loss', "Python 2"),
        ("!pip install trl", "notebook command"),
        ("%env CUDA_VISIBLE_DEVICES=0", "notebook command"),
        ("x = 0777", "line"),
        ("args.lr = １２３ e", "line"),
    ],
)
def test_what_is_no_python_3_is_named(line: str, word: str) -> None:
    error = refusal(START + line + END)
    assert error.line == 3
    assert word in str(error)


def test_a_keyword_given_twice_is_refused_as_python_does() -> None:
    error = refusal(START + "args = SFTConfig(\n    seed=1,\n    seed=2,\n)" + END)
    assert (error.line, error.column) == (5, 5)
    assert "seed" in error.reason


def test_a_script_without_training_says_which_calls_are_read() -> None:
    error = refusal("import torch\nfrom transformers import AutoModel\nx = AutoModel\n")
    assert error.remedy
    dialect = load_dialect("py_trl")
    with pytest.raises(InputError) as caught:
        dialect.read(SourceText("train.py", "x = 1\n"), {})
    assert "TrainingArguments" in str(caught.value)
    assert "SFTConfig" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "x = " + "-" * 100_000 + "1",
        "x = " + "(" * 5_000 + ")" * 5_000,
        "x = " + "[" * 150 + "]" * 150,
        "x = " + "1+" * 50_000 + "1",
        "x = a" + ".b" * 50_000,
        "x = f" + "()" * 50_000,
        "x = " + "not " * 50_000 + "1",
        "x = " + "lambda: " * 20_000 + "1",
        "x = " + "1 if a else " * 20_000 + "1",
        "if a:\n pass\n" + "elif b:\n pass\n" * 20_000,
        "x = " + "9" * 5_000,
        "x = " + "1 < " * 50_000 + "2",
        "x = 'a' " * 1 + "'b' " * 100_000,
        "f(" + ", ".join(f"a{i}={i}" for i in range(20_000)) + ")",
        "x = [" + "'some words of a data set', " * 30_000 + "]",
        "x = {" + ", ".join(f"'k{i}': {i}" for i in range(30_000)) + "}",
        "".join(f"if c{i}:\n    v{i} = {i}\n" for i in range(8_000)),
        "".join(f"d = {{'a': {i}}}\nif c{i}: d['a'] = {i}\n" for i in range(4_000)),
        "for a in b:\n " + "\n ".join(f"v{i} = {i}" for i in range(8_000)),
        "x = 10 ** 10 ** 10",
        "x = 'a' * 10 ** 12",
        "x = 2 << 10 ** 9",
        "from a import *\n" * 20_000,
        "def f(n):\n    return f(n - 1)\nf(9)",
        "class A(A): pass\nA().x.y.z",
        "a = {}\na['a'] = a\nb = [a, a]\nargs.callbacks = a",
        "args.args = args\nargs.model_init_kwargs = args",
        "x = '\\d'\ny = 1 is 1",
        tower("{", ", ".join(f"'k{at}': d{{0}}" for at in range(200)), "}"),
        tower("[", ", ".join(["d{0}"] * 200), "]"),
        tower("[", ", ".join(["d{0}"] * 200), "]").replace(
            "args.report_to", "if y: args.report_to"
        ),
        "d = {}\n" + "".join(f"d = {{**d, 'k{i}': {i}}}\n" for i in range(4_000)),
        "d = {}\n" + "".join(f"d['k{i}'] = {i}\nif c: d = dict(d)\n" for i in range(5_000)),
        "def f():\n    return [" + "1, " * 400 + "]\n" + "f()\n" * 10_000,
        "s = [1]\n" + "s = s + s\n" * 60,
        "s = []\n" + "s.append(1)\n" * 4_000,
        "s = 'a'\n" + "s = s + s\n" * 4_000,
        "x = 2\n" + "x = x ** 64\n" * 2_000,
        "x = f'{1:1000000000}'\ny = int('9' * 4000)",
        "import torch\n" + "with torch.autocast('cuda'):\n    loss.backward()\n" * 3_000,
        "import argparse\np = argparse.ArgumentParser()\n"
        + "".join(f"p.add_argument('--o{at}', default={at})\n" for at in range(400))
        + "a = p.parse_args()\n" * 200,
        "class B0: pass\n"
        + "".join(f"class B{at}(B{at - 1}, B{at - 1}): pass\n" for at in range(1, 40))
        + "from transformers import HfArgumentParser\n"
        "HfArgumentParser((B39,)).parse_args_into_dataclasses()\n",
    ],
    ids=lambda body: body[:24],
)
def test_deep_long_and_looping_code_ends_soon(body: str) -> None:
    with ends():
        try:
            found = read_workload([Upload("train.py", (START + body + END).encode())])
            outcome = found.fields["seed"].value == 3
        except InputError as error:
            outcome = bool(error.remedy)
    assert outcome


def test_half_a_megabyte_of_training_script_is_read() -> None:
    block = "model.config.use_cache = False  # every line counts\n"
    text = START + block * ((500_000 - 200) // len(block)) + END
    with ends():
        assert read_workload([Upload("train.py", text.encode())]).fields["seed"].value == 3


def test_nested_expressions_near_the_limit_are_read() -> None:
    text = START + "x = " + "[" * 90 + "1" + "]" * 90 + END
    assert read_workload([Upload("train.py", text.encode())]).fields["seed"].value == 3


def test_nul_and_surrogates_that_reach_the_dialect_are_refused() -> None:
    for text in ("x = 1\0", "x = '\ud800'", "\ud800"):
        with pytest.raises(InputError):
            load_dialect("py_trl").read(SourceText("train.py", text), {})


def test_a_form_feed_is_a_blank() -> None:
    text = "\x0c" + START + END
    found = load_dialect("py_trl").read(SourceText("train.py", text), {})
    assert found.fields["seed"].value == 3


def test_python_reads_fullwidth_letters_as_plain_ones() -> None:
    text = START.replace("seed", "ｌearning_rate=1e-4, seed") + END
    found = read_workload([Upload("train.py", text.encode())])
    assert found.fields["learning_rate"].value == 1e-4


def test_nothing_of_a_script_is_executed(tmp_path: object) -> None:
    text = f"open({str(tmp_path) + '/made'!r}, 'w')\nraise SystemExit\n"
    refusal(START.replace("SFTConfig(", "print(") + text)
    from pathlib import Path

    assert not Path(str(tmp_path), "made").exists()
