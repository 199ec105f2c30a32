"""What the text of a script settles is read; what only a run would tell is unknown."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import FieldValue, Workload
from workload.patch import edit_workload
from workload.read import read_workload

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


def test_fp16_turns_the_bf16_default_of_trl_off() -> None:
    assert values(f"{TRL}args = SFTConfig(fp16=True)\n{RUN}", "bf16", "compute_dtype") == [
        False,
        "fp16",
    ]
    assert values(f"{TRL}args = SFTConfig(bf16=None)\n{RUN}", "bf16") == [True]


@pytest.mark.parametrize(
    ("load", "versions", "dtype", "origin"),
    [
        ("'a/b'", {}, "fp32", "default"),
        ("'a/b'", {"trl": "0.24.0", "transformers": "5.23.0"}, "auto", "default"),
        ("AutoModelForCausalLM.from_pretrained('a/b')", {}, "auto", "default"),
        (
            "AutoModelForCausalLM.from_pretrained('a/b')",
            {"transformers": "4.57.6"},
            "fp32",
            "default",
        ),
        ("AutoModelForCausalLM.from_pretrained('a/b', dtype='bfloat16')", {}, "bf16", "stated"),
        ("AutoModelForCausalLM.from_pretrained('a/b', torch_dtype=t.half)", {}, "fp16", "stated"),
        ("AutoModelForCausalLM.from_pretrained('a/b').bfloat16().cuda()", {}, "bf16", "stated"),
        ("AutoModelForCausalLM.from_pretrained('a/b').to(t.float32)", {}, "fp32", "stated"),
    ],
)
def test_the_dtype_that_weights_are_loaded_in(
    load: str, versions: dict[str, str], dtype: str, origin: str
) -> None:
    text = f"import torch as t\n{TRL}{HF}SFTTrainer({load}, SFTConfig('out')).train()\n"
    found = read(text, **versions).fields["model_load_dtype"]
    assert (found.value, found.origin) == (dtype, origin)


def test_model_init_kwargs_are_what_trl_loads_with() -> None:
    text = f"""{TRL}
args = SFTConfig("out", model_init_kwargs=dict(attn_implementation="eager", dtype="auto"))
{RUN}"""
    found = read(text).fields
    assert (found["attn_implementation"].value, found["attn_implementation"].line) == ("eager", 3)
    assert found["model_load_dtype"].value == "auto"


@pytest.mark.parametrize(
    ("body", "method", "bits"),
    [
        ("model = load('a')", "full", None),
        ("model = load('a')\nunused = LoraConfig()", "full", None),
        ("model = get_peft_model(load('a'), LoraConfig())", "lora", None),
        ("model = get_peft_model(load('a'), LoraConfig(use_dora=True))", "dora", None),
        (
            "model = load('a', quantization_config=B(load_in_4bit=True))\npeft = LoraConfig()",
            "qlora",
            4,
        ),
        ("model = load('a', load_in_8bit=True)\npeft = LoraConfig()", "lora", 8),
        ("model = load('a', quantization_config=None)\npeft = LoraConfig()", "lora", None),
        ("model = load('a')\nmodel.add_adapter(LoraConfig())", "lora", None),
        ("model = load('a')\npeft = IA3Config()", "ia3", None),
        ("model = load('a')\npeft = LoraConfig() if cond() else None", "unknown", None),
        ("model = load('a')\npeft = get_peft_config(x)", "unknown", None),
        ("model = other(1)", "unknown", None),
    ],
)
def test_the_method_is_that_of_the_adapter_really_used(
    body: str, method: str, bits: int | None
) -> None:
    text = (
        f"{TRL}{HF}{PEFT}from peft import IA3Config\n"
        "from transformers import BitsAndBytesConfig as B\n"
        f"load = AutoModelForCausalLM.from_pretrained\npeft = None\n{body}\n"
        "SFTTrainer(model=model, args=SFTConfig('out'), peft_config=peft).train()\n"
    )
    found = read(text).fields
    shown = "unknown" if found["finetune_method"].origin == "unknown" else None
    assert (shown or found["finetune_method"].value) == method
    if method != "unknown":
        assert found["quant_bits"].value == bits


def test_lora_without_figures_has_those_of_peft() -> None:
    text = f"{TRL}{PEFT}SFTTrainer('a/b', SFTConfig('o'), peft_config=LoraConfig()).train()\n"
    assert values(text, "lora_r", "lora_alpha", "lora_dropout") == [8, 8, 0.0]


@pytest.mark.parametrize(
    ("line", "value", "origin"),
    [
        ("model.gradient_checkpointing_enable()", True, "stated"),
        ("model.gradient_checkpointing_disable()", False, "default"),
        ("if cond(): model.gradient_checkpointing_enable()", None, "unknown"),
        ("args.gradient_checkpointing = True", True, "stated"),
        ("model = prepare_model_for_kbit_training(model)", False, "default"),
        ("pass", False, "default"),
    ],
)
def test_checkpointing_by_the_config_or_a_call(line: str, value: Any, origin: str) -> None:
    text = (
        f"{HF}from peft import prepare_model_for_kbit_training\n"
        "model = AutoModelForCausalLM.from_pretrained('a/b')\n"
        f"args = TrainingArguments('out')\n{line}\nTrainer(model, args).train()\n"
    )
    found = field(text, "gradient_checkpointing")
    assert (found.value, found.origin) == (value, origin)


def test_the_kbit_preparation_checkpoints_quantised_weights_only() -> None:
    text = (
        f"{HF}from peft import prepare_model_for_kbit_training as prepare\n"
        "model = AutoModelForCausalLM.from_pretrained('a/b', load_in_4bit=True)\n"
        "model = prepare(model{})\nTrainer(model, TrainingArguments('out')).train()\n"
    )
    on = field(text.format(""), "gradient_checkpointing")
    assert (on.value, on.line) == (True, 4)
    off = field(text.format(", use_gradient_checkpointing=False"), "gradient_checkpointing")
    assert (off.value, off.origin) == (False, "default")


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("os.environ['A'] = '1'", "env:A", "1"),
        ("os.environ.setdefault('A', 'x')", "env:A", "x"),
        ("os.environ.update({'A': 'y'}, B='z')", "env:B", "z"),
        ("os.environ['A'] = str(3)", "env:A", "3"),
        ("os.environ['A'] = str(count())", "env:A", None),
        ("if cond(): os.environ['A'] = '1'", "env:A", None),
        ("torch.backends.cuda.matmul.allow_tf32 = True", "allow_tf32", True),
        ("torch.set_float32_matmul_precision('high')", "allow_tf32", True),
        ("torch.set_float32_matmul_precision('highest')", "allow_tf32", False),
        ("tokenizer.pad_token = tokenizer.eos_token", "pad_token_is_eos", True),
        ("if tokenizer.pad_token is None: tokenizer.pad_token = tokenizer.eos_token",
         "pad_token_is_eos", None),
        ("model = torch.compile(model)", "torch_compile", True),
        ("model.config.use_cache = False", "use_kv_cache", False),
        ("if cond(): model.config.use_cache = False", "use_kv_cache", None),
        ("data = load_dataset('json', data_files='a.jsonl')", "datasets", ["a.jsonl"]),
        ("data = load_dataset('a/b'); more = load_dataset('c/d')", "datasets", ["a/b", "c/d"]),
        ("data = load_dataset(name())", "datasets", None),
        ("parts = data.train_test_split(test_size=0.1)", "eval_split", 0.1),
    ],
)  # fmt: skip
def test_what_stands_around_the_config(line: str, name: str, value: Any) -> None:
    text = (
        f"import os, torch\nfrom datasets import load_dataset\n{HF}"
        f"model = AutoModelForCausalLM.from_pretrained('a/b', device_map='auto')\n{line}\n"
        "Trainer(model, TrainingArguments('out')).train()\n"
    )
    found = read(text).fields
    assert found[name].value == value
    assert (found[name].origin, found[name].line) == (
        "stated" if value is not None else "unknown",
        5,
    )
    assert found["device_map"].value == "auto"


def test_a_pad_token_of_its_own_comes_after() -> None:
    text = (
        f"{HF}tokenizer.pad_token = tokenizer.eos_token\ntokenizer.pad_token = '<pad>'\n"
        "Trainer(None, TrainingArguments('out')).train()\n"
    )
    assert "pad_token_is_eos" not in read(text).fields


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


def test_an_optimizer_object_replaces_the_name() -> None:
    text = (
        f"{HF}args = TrainingArguments('o', optim='adafactor')\n"
        "Trainer(None, args, optimizers=(make(), None)).train()\n"
    )
    assert field(text, "optimizer").origin == "unknown"


def test_old_trainers_take_settings_themselves() -> None:
    text = f"""{TRL}{HF}
SFTTrainer(model="a/b", args=TrainingArguments("out"), max_seq_length=512, packing=True).train()
"""
    found = read(text).fields
    assert (found["max_seq_len"].value, found["packing"].value) == (512, True)
    assert (found["bf16"].value, found["gradient_checkpointing"].value) == (False, False)


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


def test_deepspeed_as_a_dict_and_as_a_file() -> None:
    inline = f"""{TRL}
zero = {{"stage": 3, "offload_param": {{"device": "cpu"}}}}
args = SFTConfig("o", deepspeed={{"zero_optimization": zero}})
{RUN}"""
    assert values(inline, "deepspeed_stage", "offload_param") == [3, "cpu"]
    named = read(f"{TRL}args = SFTConfig('o', deepspeed='conf/ds_zero2.json')\n{RUN}")
    assert (named.fields["deepspeed_stage"].value, named.fields["deepspeed_stage"].origin) == (
        2,
        "assumed",
    )
    assert any(notice.kind == "missing_file" for notice in named.notices)


def test_unsloth_counts_as_trl_and_says_so() -> None:
    text = """
    from unsloth import FastLanguageModel
    from trl import SFTTrainer, SFTConfig
    model, tokenizer = FastLanguageModel.from_pretrained("unsloth/x", load_in_4bit=False)
    SFTTrainer(model=model, args=SFTConfig(seed=1)).train()
    """
    found = read(text)
    assert found.framework == "trl"
    assert any("Unsloth" in notice.message for notice in found.notices)
    assert (found.value("max_seq_len"), found.value("quant_bits", 0)) == (2048, 0)


def test_a_secret_leaves_no_trace_in_the_fields() -> None:
    token = "hf_" + "Ab3" * 12
    text = f"{TRL}args = SFTConfig('o', hub_token='{token}', run_name='{token}')\n{RUN}"
    found = read(f"import os\nos.environ['HF_TOKEN'] = '{token}'\n{text}")
    assert token not in found.model_dump_json()
    assert "env:HF_TOKEN" in found.fields


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


def test_continued_pretraining_of_unsloth_is_told_from_tuning() -> None:
    text = (
        "from unsloth import UnslothTrainer, UnslothTrainingArguments\n"
        "args = UnslothTrainingArguments('o', learning_rate=5e-5, embedding_learning_rate=1e-5)\n"
        "UnslothTrainer(model='a/b', args=args).train()\n"
    )
    task = field(text, "task")
    assert (task.value, task.origin) == ("pretrain", "assumed")


@pytest.mark.parametrize(
    ("body", "origin"),
    [
        ("self.optimizer = Lion(self.model.parameters())", "unknown"),
        ("kind, given = Trainer.get_optimizer_cls_and_kwargs(self.args)", "stated"),
        ("return super().create_optimizer()", "stated"),
    ],
)
def test_a_trainer_of_its_own_may_make_the_optimizer(body: str, origin: str) -> None:
    text = (
        f"{HF}class Mine(Trainer):\n    def __init__(self, extra, *args, **kwargs):\n"
        "        super().__init__(*args, **kwargs)\n"
        f"    def create_optimizer(self):\n        {body}\n"
        "args = TrainingArguments('o', optim='adafactor', seed=3)\n"
        "Mine(extra=1, model=None, args=args).train()\n"
    )
    found = read(text).fields
    assert (found["optimizer"].origin, found["seed"].value) == (origin, 3)
