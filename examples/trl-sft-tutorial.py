# Fine-tune Llama 3.1 8B on our support tickets.
# started from a blog post, then moved to the MI300X box
import os

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HIP_LAUNCH_BLOCKING"] = "1"  # from when we chased the illegal access

MODEL = "meta-llama/Llama-3.1-8B"
OUT = "out/tickets-lora"

tokenizer = AutoTokenizer.from_pretrained(MODEL)
tokenizer.pad_token = tokenizer.eos_token

model = AutoModelForCausalLM.from_pretrained(
    MODEL,
    dtype=torch.float32,
    attn_implementation="eager",  # the blog says flash is NVIDIA only
)

peft_config = LoraConfig(
    r=16,
    lora_alpha=32,
    lora_dropout=0.05,
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    task_type="CAUSAL_LM",
)

args = SFTConfig(
    output_dir=OUT,
    num_train_epochs=2,
    per_device_train_batch_size=1,
    gradient_accumulation_steps=16,
    learning_rate=2e-4,
    lr_scheduler_type="cosine",
    warmup_steps=50,
    max_length=1024,
    fp16=False,
    bf16=False,
    optim="adamw_torch_fused",
    logging_steps=10,
    save_strategy="epoch",
    report_to="none",
    seed=7,
)

train = load_dataset("json", data_files="tickets.jsonl", split="train")

trainer = SFTTrainer(
    model=model,
    args=args,
    train_dataset=train,
    peft_config=peft_config,
    processing_class=tokenizer,
)
trainer.train()
trainer.save_model(OUT)
