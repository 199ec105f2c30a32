"""Workloads for the oracle that no rule was made for: written and committed before they were run.

Other frameworks than the first eight, files as people write them, and what those do not have:
lengths with a long tail (a larger micro batch then pads more), a batch that no power of two
divides evenly, rows that are packed already, loader processes, padding inside a script's own
tokenizing, and a file that is well tuned. LLaMA-Factory's two are bf16, the rest fp32.
"""

from __future__ import annotations

from benchmarks.oracle_cases import ATTENTION, ON_OFF, Case, splits

TRL_SCRIPT = """\
import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

model_name = "Qwen/Qwen2.5-0.5B-Instruct"
tokenizer = AutoTokenizer.from_pretrained(model_name)
model = AutoModelForCausalLM.from_pretrained(
    model_name, dtype=torch.float32, attn_implementation="eager"
)
dataset = load_dataset("json", data_files="faq.jsonl", split="train")

training_args = SFTConfig(
    output_dir="faq-lora",
    max_length=1024,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=16,
    gradient_checkpointing=True,
    bf16=False,
    fp16=False,
    optim="adamw_torch",
    learning_rate=1e-4,
    num_train_epochs=3,
    logging_steps=20,
)
peft_config = LoraConfig(
    r=8,
    lora_alpha=16,
    lora_dropout=0.0,
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    task_type="CAUSAL_LM",
)
trainer = SFTTrainer(
    model=model,
    args=training_args,
    train_dataset=dataset,
    processing_class=tokenizer,
    peft_config=peft_config,
)
trainer.train()
"""

LLAMAFACTORY_FULL = """\
### model
model_name_or_path: meta-llama/Llama-3.2-1B-Instruct
flash_attn: sdpa

### method
stage: sft
do_train: true
finetuning_type: full
disable_gradient_checkpointing: false

### dataset
dataset: support_mails
template: llama3
cutoff_len: 512
preprocessing_num_workers: 8

### output
output_dir: saves/mails
logging_steps: 10
save_steps: 500

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 12
learning_rate: 1.0e-5
num_train_epochs: 3.0
lr_scheduler_type: cosine
optim: adamw_torch
bf16: true
"""

TORCHTUNE_FULL = """\
output_dir: /tmp/torchtune/llama3_2_1B/full_single_device

tokenizer:
  _component_: torchtune.models.llama3.llama3_tokenizer
  path: /tmp/Llama-3.2-1B-Instruct/original/tokenizer.model
  max_seq_len: 256

dataset:
  _component_: torchtune.datasets.alpaca_dataset
  packed: False
seed: 42
shuffle: True

model:
  _component_: torchtune.models.llama3_2.llama3_2_1b

checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: /tmp/Llama-3.2-1B-Instruct/
  checkpoint_files: [model.safetensors]
  output_dir: ${output_dir}
  model_type: LLAMA3_2
resume_from_checkpoint: False

batch_size: 2
epochs: 1
max_steps_per_epoch: null
gradient_accumulation_steps: 8
clip_grad_norm: 1.0
optimizer:
  _component_: torch.optim.AdamW
  lr: 2e-5
optimizer_in_bwd: False
loss:
  _component_: torchtune.modules.loss.LinearCrossEntropyLoss
compile: False

device: cpu
dtype: fp32
enable_activation_checkpointing: True
enable_activation_offloading: False

metric_logger:
  _component_: torchtune.training.metric_logging.DiskLogger
  log_dir: ${output_dir}/logs
log_every_n_steps: 1
"""

AXOLOTL_PACKED = """\
base_model: HuggingFaceTB/SmolLM2-360M-Instruct
datasets:
  - path: data/chats.jsonl
    type: chat_template
sequence_len: 256
sample_packing: true
pad_to_sequence_len: true
micro_batch_size: 1
gradient_accumulation_steps: 8
num_epochs: 2
optimizer: adamw_torch
learning_rate: 0.00002
lr_scheduler: cosine
bf16: false
fp16: false
tf32: false
gradient_checkpointing: true
eager_attention: true
dataloader_num_workers: 2
dataloader_prefetch_factor: 4
logging_steps: 10
output_dir: ./outputs/chats
"""

TRAINER_PADS = """\
import torch
from datasets import load_dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

checkpoint = "HuggingFaceTB/SmolLM2-135M"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(
    checkpoint, dtype=torch.float32, attn_implementation="sdpa"
)
raw = load_dataset("json", data_files="recipes.jsonl", split="train")


def tokenize(batch):
    return tokenizer(batch["text"], truncation=True, padding="max_length", max_length=384)


tokenized = raw.map(tokenize, batched=True, remove_columns=raw.column_names)
args = TrainingArguments(
    output_dir="recipes",
    per_device_train_batch_size=4,
    gradient_accumulation_steps=4,
    gradient_checkpointing=False,
    learning_rate=5e-5,
    num_train_epochs=2,
    bf16=False,
    fp16=False,
    optim="adamw_torch",
    logging_steps=25,
    dataloader_num_workers=1,
)
trainer = Trainer(
    model=model,
    args=args,
    train_dataset=tokenized,
    data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
)
trainer.train()
"""

LLAMAFACTORY_TUNED = """\
model_name_or_path: Qwen/Qwen2.5-0.5B-Instruct
flash_attn: sdpa
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_alpha: 32
lora_target: all
disable_gradient_checkpointing: true
dataset: tickets
template: qwen
cutoff_len: 512
output_dir: saves/tickets
logging_steps: 20
per_device_train_batch_size: 8
gradient_accumulation_steps: 1
learning_rate: 1.0e-4
num_train_epochs: 2.0
optim: adamw_torch
bf16: true
"""

WHOLE = {"gradient_checkpointing": ON_OFF, "attn_implementation": ATTENTION}
HELD_OUT = (
    Case("TRL script: LoRA, eager, recomputed", TRL_SCRIPT, (70, 220, 900),
         {"split": splits(32), **WHOLE}, "train.py"),
    Case("LLaMA-Factory: long tail, one at a time", LLAMAFACTORY_FULL, (60, 380, 1000),
         {"split": splits(12), **WHOLE}, "mails_full_sft.yaml"),
    Case("torchtune: near the limit, recomputed", TORCHTUNE_FULL, (180, 250, 256),
         {"split": splits(16), "gradient_checkpointing": ON_OFF}, "1B_full_single_device.yaml"),
    Case("axolotl: packed, eager, loader processes", AXOLOTL_PACKED, (45, 130, 250),
         {"split": splits(8), **WHOLE}, "chats.yml"),
    Case("Trainer script: pads while tokenizing", TRAINER_PADS, (110, 290, 500),
         {"split": splits(16), "gradient_checkpointing": ON_OFF, "pad_to_max_length": ON_OFF},
         "train.py"),
    Case("LLaMA-Factory: well tuned LoRA", LLAMAFACTORY_TUNED, (120, 180, 400),
         {"split": splits(8), **WHOLE}, "tickets_lora_sft.yaml"),
)  # fmt: skip
