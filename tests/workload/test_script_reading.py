"""What the text of a script settles is read; what only a run would tell is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workload.script_texts import (
    HF,
    RUN,
    TRL,
    field,
    read,
    values,
)


@pytest.mark.parametrize(
    "header",
    [
        "from trl import SFTConfig as C, SFTTrainer as T",
        "import trl\nC, T = trl.SFTConfig, trl.SFTTrainer",
        "import trl as t\nC = t.SFTConfig\nT = t.SFTTrainer",
        "from trl.trainer.sft_config import SFTConfig as C\nfrom trl.x import SFTTrainer as T",
        "try:\n    from trl import SFTConfig as C, SFTTrainer as T\nexcept ImportError:\n    raise",
        "from trl import *\nC, T = SFTConfig, SFTTrainer",
    ],
)
def test_a_config_is_found_under_every_name(header: str) -> None:
    text = f"{header}\nT(model='a/b', args=C(learning_rate=3e-4)).train()\n"
    assert values(text, "framework", "learning_rate", "task") == ["trl", 3e-4, "sft"]


def test_comments_strings_and_own_classes_are_no_config() -> None:
    text = '''
    import re
    from mine import SFTConfig as Other
    from transformers import Trainer, TrainingArguments
    # SFTConfig(learning_rate=1.0)
    """SFTConfig(learning_rate=2.0)"""
    class SFTTrainer: ...
    re.compile("model")
    Other(learning_rate=3.0)
    Trainer(model=None, args=TrainingArguments(learning_rate=4e-5)).train()
    '''
    found = read(text)
    assert found.format == "py_hf_trainer"
    assert found.fields["learning_rate"].value == 4e-5
    assert found.fields["torch_compile"].value is False


def test_an_unimported_fragment_is_read_with_less_certainty() -> None:
    found = read("args = SFTConfig(\n    learning_rate=1e-4,\n    packing=True,\n)\n")
    assert found.format == "py_trl"
    assert 0.5 <= found.format_score < 0.9
    assert "without an import" in found.format_reason
    assert "finetune_method" not in found.fields


@pytest.mark.parametrize(
    ("before", "written", "value", "line"),
    [
        ("", "2e-4", 2e-4, 3),
        ("LR = 2e-4", "LR", 2e-4, 2),
        ("LR: float = 2e-4", "LR", 2e-4, 2),
        ("a, LR = 1, 2e-4", "LR", 2e-4, 2),
        ("BASE = 1e-4\nLR = BASE * 2", "LR", 2e-4, 3),
        ("LR = 1\nLR = 2e-4", "LR", 2e-4, 3),
        ("c = {'lr': 2e-4}", "c['lr']", 2e-4, 2),
        ("class C:\n    lr = 2e-4", "C.lr", 2e-4, 3),
        (
            "import dataclasses as d\n@d.dataclass\nclass C:\n    lr: float = 2e-4\nc = C()",
            "c.lr",
            2e-4,
            5,
        ),
        ("FAST = True\nLR = 2e-4 if FAST else 1", "LR", 2e-4, 3),
        ("def lr():\n    return 2e-4", "lr()", 2e-4, 3),
        ("def lr(base, by=2):\n    return base * by\nB = 1e-4", "lr(B)", 2e-4, 3),
    ],
)
def test_constants_are_followed_to_their_literal(
    before: str, written: str, value: float, line: int
) -> None:
    text = f"{TRL}{before}\nargs = SFTConfig(learning_rate={written})\n{RUN}"
    found = field(text, "learning_rate")
    assert (found.value, found.origin, found.line) == (value, "stated", line)
    assert found.key == "SFTConfig.learning_rate"


@pytest.mark.parametrize(
    "before",
    [
        "LR = compute()",
        "import argparse\nLR = argparse.ArgumentParser().parse_args().lr",
        "LR = 1e-4\nif compute():\n    LR = 2e-4",
        "LR = 1e-4 if compute() else 2e-4",
        "import os\nLR = float(os.environ['LR'])",
        "LR = 1\nLR += compute()",
        "for LR in (1e-4, 2e-4):\n    pass",
        "try:\n    LR = 1e-4\n    compute()\nexcept ValueError:\n    LR = 2e-4",
        "LR = [x for x in (1e-4,)][0]",
        "LR = 10 ** 400",
        "LR = 1e999",
        "LR = 1 / 0",
        "LR = f'{compute()}'",
        "LR = " + "(" * 70 + "1" + " + 1)" * 70,
        "LR = 1e-4\ndef change():\n    global LR\n    LR = 2e-4\nchange()",
        "with compute() as LR:\n    pass",
    ],
)
def test_what_is_computed_is_unknown_with_its_line(before: str) -> None:
    text = f"{TRL}{before}\nargs = SFTConfig(\n    learning_rate=LR,\n)\n{RUN}"
    found = field(text, "learning_rate")
    assert (found.value, found.origin) == (None, "unknown")
    assert found.line == text[: text.index("learning_rate=LR")].count("\n") + 1
    assert found.written == "LR"


def test_the_last_assignment_before_training_wins() -> None:
    text = f"""{TRL}
args = SFTConfig(learning_rate=1e-4, max_length=4096, weight_decay=0.1)
trainer = SFTTrainer(model="a/b", args=args)
args.learning_rate = 4e-7
trainer.args.max_length = None
args.weight_decay = compute()
trainer.train()
args.learning_rate = 9.0
"""
    found = read(text).fields
    assert (found["learning_rate"].value, found["learning_rate"].line) == (4e-7, 5)
    assert (found["max_seq_len"].value, found["max_seq_len"].origin) == (None, "stated")
    assert found["weight_decay"].origin == "unknown"


def test_the_first_trainer_that_trains_is_read() -> None:
    text = f"""{TRL}
one = SFTConfig(learning_rate=1e-4)
two = SFTConfig(learning_rate=2e-4)
three = SFTConfig(learning_rate=3e-4)
idle = SFTTrainer(model="a/one", args=one)
busy = SFTTrainer(model="a/two", args=two)
busy.train()
SFTTrainer(model="a/three", args=three).train()
"""
    found = read(text)
    assert found.fields["learning_rate"].value == 2e-4
    assert found.fields["model_id"].value == "a/two"
    told = next(notice for notice in found.notices if "training runs" in notice.message)
    listed = "1 SFTTrainer (line 7); 2 SFTTrainer (line 9); 3 SFTTrainer (line 6)"
    assert listed in told.message
    assert told.line == 7


def test_keywords_of_an_unknown_mapping_leave_the_rest_unknown() -> None:
    text = f"{TRL}args = SFTConfig(learning_rate=1e-4, **settings())\n{RUN}"
    found = read(text).fields
    assert found["learning_rate"].value == 1e-4
    for name in ("optimizer", "gradient_checkpointing", "max_seq_len", "seed"):
        assert (found[name].origin, found[name].line) == ("unknown", 2)


def test_a_mapping_that_the_text_shows_is_read_as_keywords() -> None:
    text = f"""{TRL}
settings = {{"learning_rate": 1e-4, "seed": 7}}
settings["bf16"] = False
settings.update(weight_decay=0.5)
args = SFTConfig(**settings, **dict(logging_steps=3))
{RUN}"""
    wanted = [1e-4, 7, False, 0.5, 3, "adamw_torch_fused"]
    names = ("learning_rate", "seed", "bf16", "weight_decay", "logging_steps", "optimizer")
    assert values(text, *names) == wanted


def test_a_command_line_config_gives_its_class_alone() -> None:
    text = """
    from trl import DPOConfig, DPOTrainer, ModelConfig, TrlParser
    def main(script, args, model):
        args.gradient_checkpointing_kwargs = {"use_reentrant": False}
        DPOTrainer(model.model_name_or_path, args=args).train()
    if __name__ == "__main__":
        parser = TrlParser((Own, DPOConfig, ModelConfig))
        main(*parser.parse_args_and_config())
    """
    found = read(text).fields
    assert (found["task"].value, found["task"].origin) == ("dpo", "stated")
    assert found["learning_rate"].origin == found["model_id"].origin == "unknown"
    assert found["learning_rate"].source == "read from the command line"
    assert found["gradient_checkpointing_reentrant"].value is False


@pytest.mark.parametrize(
    ("call", "default"),
    [
        ("SFTConfig", [True, True, 2e-5, 10, 1024]),
        ("DPOConfig", [True, True, 1e-6, 10, 1024]),
        ("RewardConfig", [True, True, 1e-4, 10, 1024]),
        ("KTOConfig", [True, True, 1e-6, 10, 1024]),
        ("GRPOConfig", [True, True, 1e-6, 10, None]),
        ("TrainingArguments", [False, False, 5e-5, 500, None]),
        ("Seq2SeqTrainingArguments", [False, False, 5e-5, 500, None]),
        ("ORPOConfig", [None, None, None, None, None]),
    ],
)
def test_what_is_not_written_is_the_default_of_the_class(call: str, default: list[Any]) -> None:
    names = ("bf16", "gradient_checkpointing", "learning_rate", "logging_steps", "max_seq_len")
    assert values(f"args = {call}('out')\n", *names) == default


def test_defaults_are_those_of_the_stated_version() -> None:
    text = "args = TrainingArguments('out', seed=1)\n"
    old, new = read(text, transformers="4.57.6"), read(text, transformers="5.23.0")
    assert old.versions["transformers"] == "4.57.6"
    assert old.fields["report_to"].value == ["all"]
    assert new.fields["report_to"].value == ["none"]
    assert new.fields["report_to"].source == "transformers 5.23.0"


@pytest.mark.parametrize(
    ("comment", "version", "origin"),
    [
        ("# requirements: trl==0.24.0, transformers==4.57.6", "0.24.0", "stated"),
        ('# /// script\n# dependencies = ["trl==0.24.0", "torch>=2"]\n# ///', "0.24.0", "stated"),
        ('# !pip install -q "trl[peft]==0.24.0"', "0.24.0", "stated"),
        ("# needs trl>=0.24.0", "1.16.0", "assumed"),
        ("text = 'trl==0.24.0'", "1.16.0", "assumed"),
        ('"""\n# trl==0.24.0\n"""', "1.16.0", "assumed"),
        ("# trl==0.24.0\n# trl==0.9.6", "1.16.0", "assumed"),
    ],
)
def test_a_pinned_version_in_a_comment_counts(comment: str, version: str, origin: str) -> None:
    found = read(f"{comment}\n{TRL}args = SFTConfig(seed=1)\n{RUN}")
    assert (found.versions["trl"], found.versions_origin) == (version, origin)


def test_methods_and_functions_are_walked() -> None:
    text = f"""{HF}
class Experiment:
    def __init__(self, name):
        self.model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="eager")
        self.args = TrainingArguments("out", per_device_train_batch_size=3)

    def run(self, rate):
        self.args.learning_rate = rate
        Trainer(model=self.model, args=self.args).train()

def main():
    Experiment("a/b").run(rate=7e-5)

main()
"""
    names = ("model_id", "attn_implementation", "per_device_train_batch_size", "learning_rate")
    assert values(text, *names) == ["a/b", "eager", 3, 7e-5]


def test_a_function_that_something_else_calls_is_walked_too() -> None:
    text = f"""import fire
{HF}
def main(rate=1e-4):
    model = AutoModelForCausalLM.from_pretrained("a/b")
    Trainer(model, TrainingArguments("out", learning_rate=rate, seed=3)).train()
fire.Fire(main)
"""
    found = read(text).fields
    assert (found["model_id"].value, found["seed"].value) == ("a/b", 3)
    rate = found["learning_rate"]
    assert (rate.value, rate.origin, rate.line) == (1e-4, "default", 4)
    assert "--rate" in (rate.source or "")


def test_functions_that_call_each_other_end() -> None:
    fan = "".join(
        f"def f{i}():\n    f{i + 1}()\n    f{i + 1}()\n    f{i + 1}()\n" for i in range(30)
    )
    text = f"{TRL}{fan}def f30():\n    f0()\nf0()\nargs = SFTConfig(seed=3)\n{RUN}"
    assert values(text, "seed") == [3]


def test_misspelt_and_renamed_keywords_are_told_of() -> None:
    text = f"""{TRL}
args = SFTConfig(
    "out",
    gradient_acumulation_steps=4,
    evaluation_strategy="steps",
    neftune_noise_alpha=5,
)
{RUN}"""
    notices = {notice.line: notice for notice in read(text).notices if notice.line}
    assert notices[5].kind == "unknown_key"
    assert "gradient_accumulation_steps" in notices[5].message
    assert notices[6].kind == "deprecated"
    assert 7 not in notices


def test_an_invalid_number_is_unknown_with_a_notice() -> None:
    found = read(f"{TRL}args = SFTConfig('o', per_device_train_batch_size=0)\n{RUN}")
    assert found.fields["per_device_train_batch_size"].origin == "unknown"
    assert any("whole number" in notice.message for notice in found.notices)


def test_a_secret_leaves_no_trace_in_the_fields() -> None:
    token = "hf_" + "Ab3" * 12
    text = f"{TRL}args = SFTConfig('o', hub_token='{token}', run_name='{token}')\n{RUN}"
    found = read(f"import os\nos.environ['HF_TOKEN'] = '{token}'\n{text}")
    assert token not in found.model_dump_json()
    assert "env:HF_TOKEN" in found.fields
