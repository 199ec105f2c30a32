#!/bin/bash
#SBATCH --nodes=1
#SBATCH --gpus-per-node=8
# LoRA on one node; the script reads its options with HfArgumentParser.
set -euo pipefail

MODEL=Qwen/Qwen2.5-7B
BATCH=${BATCH:-1}
export NCCL_DEBUG=INFO
export TOKENIZERS_PARALLELISM=false

torchrun --standalone --nproc_per_node=$SLURM_GPUS_ON_NODE train.py \
    --model_name_or_path "$MODEL" \
    --dataset_name example-org/tone \
    --attn_implementation eager \
    --torch_dtype bfloat16 \
    --use_peft --lora_r 16 --lora_alpha 32 \
    --packing False \
    --max_length 2048 \
    --per_device_train_batch_size "$BATCH" \
    --gradient_accumulation_steps 16 \
    --learning_rate 2e-4 \
    --lr_scheduler_type cosine \
    --num_train_epochs 2 \
    --fp16 True \
    --gradient_checkpointing True \
    --dataloader_num_workers 0 \
    --logging_steps 10 \
    --report_to none \
    --output_dir "out/${MODEL##*/}" \
    2>&1 | tee train.log
