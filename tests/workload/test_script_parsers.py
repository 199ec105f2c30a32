"""What a command line may set: the script's own default is read, and marked as a default."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import FieldValue
from workload.detect import detect_dialect
from workload.patch import Edited, edit_workload
from workload.read import read_workload
from workload.source import GivenOption, SourceText

HEAD = """
import argparse, os
from dataclasses import dataclass, field
from typing import List, Optional
from transformers import HfArgumentParser, Trainer, TrainingArguments
from trl import SFTConfig, SFTTrainer, TrlParser
from peft import LoraConfig
"""
ARGPARSE = """
parser = argparse.ArgumentParser()
{options}
args = parser.parse_args()
config = TrainingArguments(output_dir="out", {field}={value})
Trainer(model, config).train()
"""


def fields(text: str) -> dict[str, FieldValue]:
    return read_workload([Upload("train.py", (HEAD + textwrap.dedent(text)).encode())]).fields


@pytest.mark.parametrize(
    ("options", "field", "value", "read", "origin"),
    [
        ("parser.add_argument('--lr', type=float, default=3e-4)",
         "learning_rate", "args.lr", 3e-4, "default"),
        ("parser.add_argument('--lr', type=float, default='3e-4')",
         "learning_rate", "args.lr", 3e-4, "default"),
        ("parser.add_argument('-b', '--micro-batch', default=4, type=int)",
         "per_device_train_batch_size", "args.micro_batch", 4, "default"),
        ("parser.add_argument('--batch', dest='size', default=4, type=int)",
         "per_device_train_batch_size", "args.size * 2", 8, "default"),
        ("parser.add_argument('--seed', type=int, required=True)",
         "seed", "args.seed", None, "unknown"),
        ("parser.add_argument('--seed', type=int)", "seed", "args.seed", None, "unknown"),
        ("parser.add_argument('seed', type=int)", "seed", "args.seed", None, "unknown"),
        ("parser.add_argument('--bf16', action='store_true')", "bf16", "args.bf16", False,
         "default"),
        ("parser.add_argument('--no_fp16', action='store_false')", "fp16", "args.no_fp16", True,
         "default"),
        ("parser.add_argument('--no_fp16', action='store_false')", "fp16", "not args.no_fp16",
         False, "default"),
        ("group = parser.add_argument_group('x')\ngroup.add_argument('--seed', default=7)",
         "seed", "vars(args)['seed']", 7, "default"),
        ("parser.add_argument('--seed', default=7)\nparser.set_defaults(seed=8)",
         "seed", "args.seed", 8, "default"),
        ("parser.add_argument('--seed', default=7, type=convert)", "seed", "args.seed", 7,
         "default"),
        ("parser.add_argument('--seed', default='7', type=convert)", "seed", "args.seed", None,
         "unknown"),
        ("add_options(parser)", "seed", "args.seed", None, "unknown"),
        ("", "learning_rate", "float(os.environ.get('LR', '2e-4'))", 2e-4, "default"),
        ("", "seed", "int(os.environ.get('RANK', 0))", None, "unknown"),
        ("", "seed", "int(os.environ['SEED'])", None, "unknown"),
    ],
)  # fmt: skip
def test_an_option_of_argparse_has_its_default(
    options: str, field: str, value: str, read: Any, origin: str
) -> None:
    found = fields(ARGPARSE.format(options=options, field=field, value=value))
    name = {"seed": "seed"}.get(field, field)
    assert (found[name].value, found[name].origin) == (read, origin)
    assert found[name].line is not None


def test_a_default_says_its_option_and_its_line() -> None:
    options = "parser.add_argument('--lr', type=float, default=3e-4)"
    text = ARGPARSE.format(options=options, field="learning_rate", value="args.lr")
    found = fields(text)["learning_rate"]
    assert "--lr" in (found.source or "")
    assert found.line == (HEAD + text)[: (HEAD + text).index("3e-4")].count("\n") + 1


FILLED = """
@dataclass
class Mine:
    model: str
    rank: int = field(default=8, metadata={{"help": "rank"}})
    alpha: int = 16
    targets: List[str] = field(default_factory=lambda: ["q_proj", "v_proj"])
    length: Optional[int] = None
    packed: bool = True
    def __post_init__(self):
        self.alpha = self.rank * 2

@dataclass
class Training({base}):
    optim: str = field(default="adafactor")
    learning_rate: float = 1e-3

mine, training = {parser}((Mine, Training)).{method}()
peft = LoraConfig(r=mine.rank, lora_alpha=mine.alpha, target_modules=mine.targets)
SFTTrainer(model=mine.model, args=training, peft_config=peft, max_seq_length=mine.length,
           packing=mine.packed).train()
"""


@pytest.mark.parametrize(
    ("parser", "method"),
    [
        ("HfArgumentParser", "parse_args_into_dataclasses"),
        ("TrlParser", "parse_args_and_config"),
    ],
)
@pytest.mark.parametrize("base", ["TrainingArguments", "SFTConfig"])
def test_dataclasses_that_a_parser_fills(parser: str, method: str, base: str) -> None:
    found = fields(FILLED.format(parser=parser, method=method, base=base))
    read = {name: (found[name].value, found[name].origin) for name in found}
    assert read["lora_r"] == (8, "default")
    assert read["lora_alpha"] == (16, "default")
    assert read["lora_target_modules"] == (["q_proj", "v_proj"], "default")
    assert read["optimizer"] == ("adafactor", "default")
    assert read["learning_rate"] == (1e-3, "default")
    assert read["packing"] == (True, "default")
    for open_ended in ("model_id", "max_seq_len", "per_device_train_batch_size", "bf16"):
        assert read[open_ended] == (None, "unknown")


def test_a_condition_that_an_option_decides_is_told_of() -> None:
    text = """
    parser = argparse.ArgumentParser()
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    rate = 1e-4
    if args.fast:
        rate = 1e-3
    Trainer(model, TrainingArguments("out", learning_rate=rate, seed=4)).train()
    """
    source = HEAD + textwrap.dedent(text)
    workload = read_workload([Upload("train.py", source.encode())])
    assert workload.value("learning_rate") == 1e-4
    assert any("--fast" in notice.message for notice in workload.notices)
    on = source.replace("store_true", "store_false")
    changed = read_workload([Upload("train.py", on.encode())]).fields
    assert (changed["learning_rate"].value, changed["learning_rate"].origin) == (1e-3, "default")
    assert changed["seed"].origin == "stated"


def test_options_handed_through_a_function_keep_their_origin() -> None:
    text = """
    def train(rate, size=3):
        Trainer(model, TrainingArguments("out", learning_rate=rate, seed=size)).train()
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=5e-5)
    train(**vars(parser.parse_args()))
    """
    found = fields(text)
    assert (found["learning_rate"].value, found["learning_rate"].origin) == (5e-5, "default")
    assert (found["seed"].value, found["seed"].origin) == (3, "stated")


def test_a_list_that_grows_is_followed() -> None:
    text = """
    tools = ["wandb"]
    tools.append("tensorboard")
    other = []
    if cond():
        other.append("wandb")
    Trainer(model, TrainingArguments("out", report_to={})).train()
    """
    assert fields(text.format("tools"))["report_to"].value == ["wandb", "tensorboard"]
    assert fields(text.format("other"))["report_to"].origin == "unknown"


def edited(text: str, field: str, value: Any) -> Edited:
    source = HEAD + textwrap.dedent(text)
    edit = FieldEdit(field=field, value=value)
    return edit_workload([Upload("train.py", source.encode())], [edit])


@pytest.mark.parametrize(
    ("options", "use", "field", "value", "line"),
    [
        ("parser.add_argument('--lr', type=float, default=3e-4)", "learning_rate=args.lr",
         "learning_rate", 2e-4, "+parser.add_argument('--lr', type=float, default=2e-4)"),
        ("parser.add_argument('--bs', default='4', type=int)",
         "per_device_train_batch_size=args.bs", "per_device_train_batch_size", 8,
         "+parser.add_argument('--bs', default=8, type=int)"),
        ("parser.add_argument('--optim', default='adamw_hf')", "optim=args.optim", "optimizer",
         "adamw_torch", "+parser.add_argument('--optim', default='adamw_torch')"),
    ],
)  # fmt: skip
def test_the_default_of_an_option_is_changed_where_it_stands(
    options: str, use: str, field: str, value: Any, line: str
) -> None:
    name, _, read = use.partition("=")
    done = edited(ARGPARSE.format(options=options, field=name, value=read), field, value)
    assert [one.reason for one in done.outcomes] == [None]
    assert [one for one in done.diff.splitlines() if one.startswith("+")][1:] == [line]


@pytest.mark.parametrize(
    ("options", "use", "field", "value", "advice"),
    [
        ("parser.add_argument('--bs', default=4)\nprint(parser.parse_args().bs)",
         "per_device_train_batch_size=args.bs", "per_device_train_batch_size", 8, "--bs 8"),
        ("parser.add_argument('--bs', default=4)",
         "per_device_train_batch_size=args.bs, per_device_eval_batch_size=args.bs",
         "per_device_train_batch_size", 8, "--bs 8"),
        ("parser.add_argument('--bf16', action='store_true')", "bf16=args.bf16", "bf16", True,
         "--bf16"),
        ("parser.add_argument('--bs', default=4)", "per_device_train_batch_size=args.bs * 2",
         "per_device_train_batch_size", 8, "--bs"),
        ("", "seed=int(os.environ.get('SEED', 1))", "seed", 8, "export SEED=8"),
    ],
)  # fmt: skip
def test_an_option_that_more_code_reads_is_advice(
    options: str, use: str, field: str, value: Any, advice: str
) -> None:
    name, _, read = use.partition("=")
    done = edited(ARGPARSE.format(options=options, field=name, value=read), field, value)
    assert done.diff == ""
    assert advice in (done.outcomes[0].advice or "")


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("lora_r", 16, '    rank: int = field(default=8, metadata={"help": "rank"})'),
        ("optimizer", "adamw_torch", '    optim: str = field(default="adafactor")'),
        ("learning_rate", 2e-3, "    learning_rate: float = 1e-3"),
    ],
)
def test_the_default_of_a_dataclass_is_changed_where_it_stands(
    field: str, value: Any, line: str
) -> None:
    text = FILLED.format(
        parser="HfArgumentParser", method="parse_args_into_dataclasses", base="TrainingArguments"
    )
    text = text.replace("self.rank * 2", "5")
    done = edited(text, field, value)
    assert [one.reason for one in done.outcomes] == [None]
    assert "-" + line in done.diff.splitlines()
    assert len([one for one in done.diff.splitlines() if one.startswith("+")]) == 2


def test_a_config_from_the_command_line_is_changed_by_its_flag() -> None:
    text = FILLED.format(parser="TrlParser", method="parse_args_and_config", base="SFTConfig")
    done = edited(text, "dataloader_num_workers", 4)
    assert done.diff == ""
    assert "Pass --dataloader_num_workers 4" in (done.outcomes[0].advice or "")


def test_a_table_asked_with_an_option_gives_a_default() -> None:
    text = """
    RATES = {"small": 1e-3, "large": 1e-4}
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="large")
    args = parser.parse_args()
    Trainer(model, TrainingArguments("out", learning_rate=RATES[args.size])).train()
    """
    found = fields(text)["learning_rate"]
    assert (found.value, found.origin) == (1e-4, "default")


def test_what_must_be_given_at_the_start_is_not_written_over() -> None:
    options = "parser.add_argument('--lr', type=float, required=True)"
    done = edited(
        ARGPARSE.format(options=options, field="learning_rate", value="args.lr"),
        "learning_rate",
        1e-4,
    )
    assert done.diff == ""
    assert "Pass --lr 0.0001" in (done.outcomes[0].advice or "")


def launched(text: str, **words: tuple[str, ...]) -> dict[str, FieldValue]:
    """The fields of a script that a launch line starts with options, as its reader gives them."""
    options = {name: GivenOption(given, "run.sh", 7) for name, given in words.items()}
    source = SourceText("train.py", HEAD + textwrap.dedent(text)).with_options(options)
    found = detect_dialect(source)
    return dict(found.dialect.read(source, {}).fields)


def test_the_options_of_a_launch_line_replace_the_defaults() -> None:
    options = (
        "parser.add_argument('--lr', type=float, default=3e-4)\n"
        "parser.add_argument('--no_fp16', action='store_false')\n"
        "parser.add_argument('--steps', type=int, required=True)"
    )
    use = "args.lr, fp16=args.no_fp16, max_steps=args.steps"
    text = ARGPARSE.format(options=options, field="learning_rate", value=use)
    found = launched(text, lr=("2e-5",), no_fp16=(), steps=("40",))
    read = {name: found[name].value for name in ("learning_rate", "fp16", "max_steps")}
    assert read == {"learning_rate": 2e-5, "fp16": False, "max_steps": 40}
    rate = found["learning_rate"]
    assert (rate.origin, rate.file, rate.line) == ("stated", "run.sh", 7)


def test_the_options_of_a_launch_line_fill_dataclasses() -> None:
    text = FILLED.format(parser="HfArgumentParser", method="parse_args_into_dataclasses",
                         base="TrainingArguments")  # fmt: skip
    given = {"rank": ("4",), "per_device_train_batch_size": ("2",), "bf16": (), "model": ("a/b",)}
    found = launched(text, **given, targets=("q_proj", "o_proj"))
    names = ("lora_r", "lora_alpha", "per_device_train_batch_size", "bf16", "model_id",
             "lora_target_modules", "optimizer", "max_grad_norm")  # fmt: skip
    assert [found[name].value for name in names] == [
        4, 8, 2, True, "a/b", ["q_proj", "o_proj"], "adafactor", 1.0,
    ]  # fmt: skip
    assert found["per_device_train_batch_size"].file == "run.sh"
    assert found["max_grad_norm"].origin == "default"
    more = launched(text, **given, **{"**": ()})
    assert more["max_grad_norm"].origin == "unknown"
