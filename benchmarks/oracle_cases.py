"""The oracle's misconfigured workloads, with the grid of each: a case, and the eight first ones.

The eight shaped the product (a rule came out of the first run on them), so their shares are no
proof for other files: `oracle_held_out` has workloads that no rule was made for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Lengths = tuple[int, int, int]
"""Tokens per sample: median, 95%, longest."""


class Case(NamedTuple):
    """One misconfigured workload and the values of each knob that its grid holds."""

    name: str
    text: str
    lengths: Lengths
    knobs: dict[str, tuple[Any, ...]]
    """`split`: micro batch x accumulation; else a field."""
    file: str = "train.yml"


ON_OFF = (True, False)
ATTENTION = ("sdpa", "eager")
LORA = "adapter: lora\nlora_r: 16\nlora_alpha: 32\nlora_dropout: 0.0\nlora_target_linear: true\n"


def splits(samples: int) -> tuple[tuple[int, int], ...]:
    """Every way to take `samples` into one optimizer step, smallest micro batch first."""
    return tuple(
        (micro, samples // micro) for micro in range(1, samples + 1) if samples % micro == 0
    )


def axolotl(
    name: str,
    model: str,
    length: int,
    split: tuple[int, int],
    lengths: Lengths,
    *,
    padded: bool = False,
    recomputed: bool = False,
    adapter: bool = False,
) -> Case:
    """An axolotl file in fp32, without loader processes.

    Its grid: split, checkpointing, and padding where it pads, else attention.
    """
    text = f"""\
base_model: {model}
sequence_len: {length}
micro_batch_size: {split[0]}
gradient_accumulation_steps: {split[1]}
pad_to_sequence_len: {str(padded).lower()}
sample_packing: false
gradient_checkpointing: {str(recomputed).lower()}
sdp_attention: true
bf16: false
fp16: false
tf32: false
optimizer: adamw_torch
learning_rate: 1.0e-5
dataloader_num_workers: 0
datasets:
  - path: tatsu-lab/alpaca
    type: alpaca
output_dir: out
{LORA if adapter else ""}"""
    third = {"pad_to_max_length": ON_OFF} if padded else {"attn_implementation": ATTENTION}
    knobs = {"split": splits(split[0] * split[1]), "gradient_checkpointing": ON_OFF, **third}
    return Case(name, text, lengths, knobs)


SMALL, LARGER = "HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-360M"
QWEN, LLAMA = "Qwen/Qwen2.5-0.5B", "meta-llama/Llama-3.2-1B"
CASES = (
    axolotl("one sample at a time, recomputed", SMALL, 512, (1, 8), (110, 160, 400),
            recomputed=True),
    axolotl("padded to the limit", QWEN, 512, (2, 4), (90, 300, 700), padded=True),
    axolotl("padded, recomputed, one at a time", LARGER, 256, (1, 8), (80, 200, 400),
            padded=True, recomputed=True),
    axolotl("LoRA with sixteen passes a step", LLAMA, 512, (1, 16), (60, 100, 300),
            recomputed=True, adapter=True),
    axolotl("recomputed for nothing", "Qwen/Qwen3-0.6B", 512, (8, 1), (128, 128, 128),
            recomputed=True),
    axolotl("LoRA padded to the limit", QWEN, 512, (4, 2), (100, 350, 800),
            padded=True, recomputed=True, adapter=True),
    axolotl("short answers, four passes", SMALL, 256, (2, 8), (40, 60, 120)),
    axolotl("sums of equal length, one at a time", LARGER, 128, (1, 8), (96, 96, 96)),
)  # fmt: skip
