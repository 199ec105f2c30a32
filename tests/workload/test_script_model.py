"""What a script loads and trains: dtype, adapter, quantisation, checkpointing, data."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workload.script_texts import HF, PEFT, RUN, TRL, edit, field, read, values


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


def test_a_trainer_may_quantise_the_model_that_it_loads() -> None:
    text = (
        f"import torch\n{TRL}{PEFT}from transformers import BitsAndBytesConfig\n"
        "bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type='nf4')\n"
        "SFTTrainer(model='a/b', args=SFTConfig('o'), quantization_config=bits,\n"
        "           peft_config=LoraConfig(r=8)).train()\n"
    )
    names = ("quant_bits", "quant_type", "finetune_method")
    assert values(text, *names) == [4, "nf4", "qlora"]
    done = edit(text, quant_bits=None)
    assert done.outcomes[0].applied, done.outcomes
    assert "quantization_config" not in done.uploads[0].data.decode()


def test_the_private_spelling_of_the_attention_counts() -> None:
    text = (
        f"{HF}model = AutoModelForCausalLM.from_pretrained('a/b', _attn_implementation='eager')\n"
        "Trainer(model=model, args=TrainingArguments('o')).train()\n"
    )
    assert field(text, "attn_implementation").value == "eager"
    done = edit(text, attn_implementation="sdpa")
    assert "_attn_implementation='sdpa'" in done.uploads[0].data.decode()


def test_what_a_comprehension_calls_is_followed() -> None:
    text = f"""{HF}from transformers import AutoTokenizer
def tokenize(rows, tokenizer):
    return [tokenizer(row, max_length=tokenizer.model_max_length, truncation=True)
            for row in rows]
tokenizer = AutoTokenizer.from_pretrained('a/b', model_max_length=768)
data = {{name: tokenize(rows, tokenizer) for name, rows in read().items()}}
model = AutoModelForCausalLM.from_pretrained('a/b')
Trainer(model=model, args=TrainingArguments('o'), train_dataset=data).train()
"""
    assert field(text, "max_seq_len").value == 768
    names = "row = 'mine'\nkept = [row for row in (1, 2)]\n"
    text = f"{TRL}{names}args = SFTConfig('o', report_to=row)\n{RUN}"
    assert field(text, "report_to").value == ["mine"]


def test_what_a_lambda_calls_is_followed() -> None:
    text = f"""{HF}from transformers import AutoTokenizer
def tokenize(row, tokenizer, length):
    return tokenizer(row, max_length=length, truncation=True)
tokenizer = AutoTokenizer.from_pretrained('a/b')
data = rows.map(lambda row: tokenize(row, tokenizer, 640))
model = AutoModelForCausalLM.from_pretrained('a/b')
Trainer(model=model, args=TrainingArguments('o'), train_dataset=data).train()
"""
    assert field(text, "max_seq_len").value == 640
    init = "make = lambda: AutoModelForCausalLM.from_pretrained('c/d')\n"
    text = f"{HF}{init}Trainer(args=TrainingArguments('o'), model_init=make).train()\n"
    assert read(text).value("model_id") == "c/d"
