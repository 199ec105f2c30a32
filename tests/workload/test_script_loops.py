"""A training loop of a script's own: what its loader, optimizer, autocast and wrappers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import edit_workload
from workload.read import read_workload

HEAD = """import torch, deepspeed
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup, get_scheduler
"""
TORCH = (
    HEAD
    + """
BATCH, LR = 4, 3e-4
model = AutoModelForCausalLM.from_pretrained("a/b", torch_dtype=torch.bfloat16).cuda()
{model}
loader = DataLoader({loader})
other = DataLoader(held_out, batch_size=16)
optimizer = {optimizer}
for epoch in range(3):
    for step, batch in enumerate(loader):
        {forward}
        loss = model(**batch).loss / 2
        loss.backward()
        {steps}
            optimizer.step()
            optimizer.zero_grad()
"""
)
PARTS = {
    "model": "",
    "loader": "data, batch_size=BATCH, shuffle=True",
    "optimizer": "torch.optim.AdamW(model.parameters(), lr=LR)",
    "forward": "with torch.autocast('cuda', dtype=torch.bfloat16): pass",
    "steps": "if (step + 1) % 8 == 0:",
}


def read(text: str, name: str = "train.py") -> Workload:
    return read_workload([Upload(name, text.encode())])


def torch_loop(**parts: str) -> str:
    return TORCH.format(**{**PARTS, **parts})


def test_a_plain_loop_is_read() -> None:
    found = read(torch_loop())
    assert (found.format, found.framework) == ("py_torch", "torch")
    wanted = {
        "model_id": "a/b",
        "model_load_dtype": "bf16",
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 16,
        "learning_rate": 3e-4,
        "optimizer": "adamw_torch",
        "gradient_accumulation_steps": 8,
        "num_epochs": 3,
        "bf16": True,
        "fp16": False,
        "compute_dtype": "bf16",
        "effective_batch": 32,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "weight_decay": 0.01,
        "lr_scheduler": "constant",
        "finetune_method": "full",
        "gradient_checkpointing": False,
    }
    assert {name: found.fields[name].value for name in wanted} == wanted
    assert found.fields["learning_rate"].line == 9
    assert found.fields["dataloader_num_workers"].origin == "default"


@pytest.mark.parametrize(
    ("part", "text", "field", "value", "origin"),
    [
        ("loader", "data, 6, num_workers=4, pin_memory=True", "per_device_train_batch_size", 6,
         "stated"),
        ("loader", "data, 6, num_workers=4, pin_memory=True", "dataloader_num_workers", 4,
         "stated"),
        ("loader", "data, batch_sampler=plan", "per_device_train_batch_size", None, "unknown"),
        ("loader", "data, **settings()", "dataloader_num_workers", None, "unknown"),
        ("optimizer", "torch.optim.AdamW(model.parameters(), lr=LR, fused=True)", "optimizer",
         "adamw_torch_fused", "stated"),
        ("optimizer", "torch.optim.SGD(model.parameters(), 0.1)", "learning_rate", 0.1, "stated"),
        ("optimizer", "torch.optim.AdamW([{'params': p, 'weight_decay': 0.2}], lr=1e-3)",
         "weight_decay", 0.2, "stated"),
        ("optimizer", "torch.optim.AdamW(groups(), lr=1e-3)", "weight_decay", None, None),
        ("forward", "with torch.autocast('cuda'): pass", "fp16", True, "stated"),
        ("forward", "with torch.autocast('cuda', dtype=dtype()): pass", "bf16", None, "unknown"),
        ("forward", "with torch.cuda.amp.autocast(enabled=False): pass", "bf16", False, "stated"),
        ("forward", "pass", "bf16", False, "derived"),
        ("steps", "if True:", "gradient_accumulation_steps", 1, "derived"),
        ("steps", "if step % count() == 0:", "gradient_accumulation_steps", None, "unknown"),
        ("model", "model.gradient_checkpointing_enable()", "gradient_checkpointing", True,
         "stated"),
        ("model", "model = torch.compile(model)", "torch_compile", True, "stated"),
        ("model", "model = get_peft_model(model, LoraConfig(r=4))", "lora_r", 4, "stated"),
        ("model", "model = FSDP(model)", "fsdp", True, "stated"),
        ("model", "model = DDP(model, find_unused_parameters=True)",
         "ddp_find_unused_parameters", True, "stated"),
        ("model", "model = DDP(model)", "model_id", "a/b", "stated"),
        ("model", "torch.manual_seed(11)", "seed", 11, "stated"),
        ("steps", "torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n        if True:",
         "max_grad_norm", 0.5, "stated"),
        ("model", "plan = get_cosine_schedule_with_warmup(optimizer, 100, 5000)", "lr_scheduler",
         "cosine", "stated"),
        ("model", "plan = get_scheduler('linear', optimizer, num_warmup_steps=7)",
         "warmup_steps", 7, "stated"),
    ],
)  # fmt: skip
def test_each_part_has_its_fields(
    part: str, text: str, field: str, value: Any, origin: str | None
) -> None:
    found = read(torch_loop(**{part: text})).fields.get(field)
    assert (found and found.value, found and found.origin) == (value, origin)


ACCELERATE = (
    HEAD
    + """
def main(batch_size=8):
    accelerator = Accelerator({accelerator})
    model = AutoModelForCausalLM.from_pretrained("a/b")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    loader = DataLoader(data, batch_size=batch_size)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for epoch in range(2):
        for batch in loader:
            with accelerator.accumulate(model):
                accelerator.backward(model(**batch).loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()

main()
"""
)


@pytest.mark.parametrize(
    ("call", "bf16", "steps"),
    [
        ("mixed_precision='bf16', gradient_accumulation_steps=4", True, 4),
        ("mixed_precision='no'", False, 1),
        ("mixed_precision='fp16'", False, 1),
        ("gradient_accumulation_steps=2", None, 2),
        ("mixed_precision=None", None, 1),
        ("mixed_precision=choose()", None, 1),
    ],
)
def test_an_accelerate_loop_is_read(call: str, bf16: bool | None, steps: int) -> None:
    found = read(ACCELERATE.format(accelerator=call))
    assert (found.format, found.framework) == ("py_accelerate", "accelerate")
    assert found.fields["bf16"].value is bf16
    assert (found.fields["bf16"].origin == "unknown") is (bf16 is None)
    assert found.value("gradient_accumulation_steps") == steps
    read_values = [found.value(name) for name in ("learning_rate", "max_grad_norm", "num_epochs")]
    assert read_values == [2e-5, 1.0, 2]


def test_a_deepspeed_engine_is_read_from_its_dict() -> None:
    text = (
        HEAD
        + """
settings = {"train_micro_batch_size_per_gpu": 3, "gradient_accumulation_steps": 5,
            "bf16": {"enabled": True}, "zero_optimization": {"stage": 2},
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-5}}}
model = AutoModelForCausalLM.from_pretrained("a/b")
engine, _, _, _ = deepspeed.initialize(model=model, config=settings)
for batch in loader:
    engine.backward(engine(batch))
    engine.step()
"""
    )
    found = read(text)
    assert (found.format, found.framework) == ("py_deepspeed", "deepspeed")
    names = ("per_device_train_batch_size", "gradient_accumulation_steps", "bf16",
             "deepspeed_stage", "optimizer", "learning_rate", "model_id")  # fmt: skip
    assert [found.value(name) for name in names] == [3, 5, True, 2, "adamw_torch", 1e-5, "a/b"]
    elsewhere = read(text.replace("config=settings", "config='ds.json'"))
    assert elsewhere.fields["per_device_train_batch_size"].origin == "unknown"
    assert elsewhere.fields["deepspeed_stage"].origin == "unknown"


def test_a_trainer_beside_a_loop_is_what_is_read() -> None:
    text = torch_loop() + "from trl import SFTTrainer\nSFTTrainer(model='c/d').train()\n"
    assert read(text).format == "py_trl"


@pytest.mark.parametrize("text", ["loss.backward()\n", "torch.optim.AdamW(p)\n"])
def test_half_a_loop_is_no_training_run(text: str) -> None:
    with pytest.raises(InputError) as refused:
        read("import torch\n" + text)
    assert "backward" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "field", "value", "line"),
    [
        (torch_loop(), "per_device_train_batch_size", 8, "+BATCH, LR = 8, 3e-4"),
        (torch_loop(), "dataloader_num_workers", 8,
         "+loader = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=8)"),
        (torch_loop(), "weight_decay", 0.1,
         "+optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.1)"),
        (torch_loop(), "gradient_accumulation_steps", 4, "+        if (step + 1) % 4 == 0:"),
        (torch_loop(forward="with torch.autocast('cuda', dtype=torch.float16): pass"), "bf16",
         True, "+        with torch.autocast('cuda', dtype=torch.bfloat16): pass"),
        (torch_loop(), "attn_implementation", "sdpa", '+model = AutoModelForCausalLM.from_pretra'
         'ined("a/b", torch_dtype=torch.bfloat16, attn_implementation="sdpa").cuda()'),
        (ACCELERATE.format(accelerator="mixed_precision='no'"), "bf16", True,
         "+    accelerator = Accelerator(mixed_precision='bf16')"),
        (ACCELERATE.format(accelerator=""), "gradient_accumulation_steps", 4,
         "+    accelerator = Accelerator(gradient_accumulation_steps=4)"),
    ],
)  # fmt: skip
def test_an_edit_is_made_where_the_value_lives(
    text: str, field: str, value: Any, line: str, tmp_path: Path
) -> None:
    edit = FieldEdit(field=field, value=value)
    done = edit_workload([Upload("train.py", text.encode())], [edit])
    assert [one.reason for one in done.outcomes] == [None]
    assert line in done.diff.splitlines()
    assert done.workload.value(field) == value


@pytest.mark.parametrize("field", ["max_grad_norm"])
def test_what_needs_a_statement_inside_the_loop_is_advice(field: str) -> None:
    edit = FieldEdit(field=field, value=1)
    done = edit_workload([Upload("train.py", torch_loop().encode())], [edit])
    assert not done.outcomes[0].applied
    assert "model" in (done.outcomes[0].advice or "")


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("if ranks() > 1:\n    model = FSDP(model)", "fsdp"),
        ("if fast():\n    run = torch.compile(forward)", "torch_compile"),
        ("if ranks() > 1:\n    data = load_dataset('a/b')", "datasets"),
        ("if fast():\n    liger_kernel.transformers.apply_liger_kernel_to_llama()", "liger"),
    ],
)
def test_what_an_open_branch_does_is_unknown(model: str, field: str) -> None:
    text = torch_loop(model=f"import liger_kernel\nfrom datasets import load_dataset\n{model}")
    assert read(text).fields[field].origin == "unknown"
