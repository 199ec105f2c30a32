"""Training files of our own for the tests of the audit, and short ways to run one."""

from __future__ import annotations

from pathlib import Path

from agent.jobs import Jobs
from agent.request import AuditRequest
from audit.records.events import Event
from audit.records.upload import Upload

TOKEN = "hf_" + "Zx9Kq2Lm7Np4Rt6Vw8Yb3Cd5Fg1Hj0Sa"
AXOLOTL = """\
# our own axolotl file
base_model: meta-llama/Llama-3.1-8B
datasets:
  - path: mhenrichsen/alpaca_2k_test
    type: alpaca
output_dir: ./out

adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true

sequence_len: 2048
sample_packing: false
micro_batch_size: 1            # from a smaller card
gradient_accumulation_steps: 8
num_epochs: 3
optimizer: adamw_torch_fused
learning_rate: 2e-4
lr_scheduler: cosine

bf16: true
tf32: false
gradient_checkpointing: true
flash_attention: true
"""
STOPS = AXOLOTL.replace("tf32: false", "tf32: true             # from an A100 recipe")
"""Transformers refuses tf32 on a PyTorch without CUDA: it does not start on an AMD card."""
WITH_TOKEN = STOPS.replace(
    "output_dir: ./out", f"output_dir: ./out\nhub_model_id: me/mine\nhf_token: {TOKEN}"
)
WELL_TUNED = """\
base_model: meta-llama/Llama-3.1-8B
datasets:
  - path: mhenrichsen/alpaca_2k_test
    type: alpaca
output_dir: ./out
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
sequence_len: 4096
sample_packing: true
pad_to_sequence_len: true
micro_batch_size: 2
gradient_accumulation_steps: 1
num_epochs: 1
optimizer: adamw_torch_fused
learning_rate: 2e-4
bf16: true
gradient_checkpointing: false
flash_attention: true
dataloader_num_workers: 4
"""
UNKNOWN_MODEL = STOPS.replace("meta-llama/Llama-3.1-8B", "nobody/never-heard-of-it")
SCRIPT = """\
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

MODEL = "meta-llama/Llama-3.1-8B"
model = AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32", attn_implementation="eager")
args = SFTConfig(
    output_dir="out",
    per_device_train_batch_size=1,  # small
    gradient_accumulation_steps=8,
    max_length=2048,
    learning_rate=2e-4,
    bf16=False,
)
trainer = SFTTrainer(
    model=model,
    args=args,
    train_dataset=load_dataset("trl-lib/Capybara", split="train"),
    peft_config=LoraConfig(r=16, lora_alpha=32),
)
trainer.train()
"""


def request_for(text: str, name: str = "train.yml", **wishes: object) -> AuditRequest:
    """An audit request for one file of that text."""
    return AuditRequest(uploads=(Upload(name, text.encode()),), **wishes)  # type: ignore[arg-type]


def wait_for(jobs: Jobs, audit_id: str) -> list[Event]:
    """All events of an audit, when it has ended."""
    after = 0
    for _ in range(60):
        for event in jobs.follow(audit_id, after, timeout=1.0):
            after = event.seq
            if event.terminal:
                return jobs.events(audit_id)
    message = f"the audit has not ended: {jobs.events(audit_id)[-1:]}"
    raise AssertionError(message)


def written(folder: Path, name: str, text: str | bytes) -> Path:
    """A file of that text in a folder."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
