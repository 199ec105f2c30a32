"""Builds the decoder of a translation with random weights: transformers' own classes, no download.

The class is the real one, so `attn_implementation` picks the real kernel. Weights are drawn from
the seed, the same in both arms.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from audit.records.translated import Lora, Recipe, Shape
from runner.worker.host.device import Device

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def build_model(shape: Shape, recipe: Recipe, device: Device, seed: int) -> nn.Module:
    """The model on its device, with adapters and checkpointing as the recipe says.

    Raises:
        ImportError, ValueError: the installed packages cannot build it; the class says why.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    config = AutoConfig.for_model(shape.family, **_dimensions(shape, recipe))
    model: Any = AutoModelForCausalLM.from_config(
        config, attn_implementation=recipe.attention, dtype=DTYPES[recipe.weights]
    )
    model.to(device.torch)
    if recipe.liger:
        from liger_kernel.transformers.monkey_patch import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(model=model)
    if recipe.checkpointing != "off":
        how = {"use_reentrant": recipe.checkpointing == "reentrant"}
        if hasattr(model, "activation_checkpointing_enable"):  # transformers 5.24 renamed it
            model.activation_checkpointing_enable(how)
        else:
            model.gradient_checkpointing_enable(how)
        if recipe.lora is not None:
            model.enable_input_require_grads()
    if recipe.lora is not None:
        model = _with_adapters(model, recipe.lora, seed)
    model.train()
    built: nn.Module = model
    return built


def _dimensions(shape: Shape, recipe: Recipe) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if shape.family == "llama":
        extra["attention_bias"] = shape.bias
    return {
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "intermediate_size": shape.mlp,
        "vocab_size": shape.vocab,
        "tie_word_embeddings": shape.tied,
        "max_position_embeddings": max(2048, recipe.max_length),
        "use_cache": False,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **extra,
    }


def _with_adapters(model: Any, lora: Lora, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    targets = "all-linear" if lora.targets == ("all-linear",) else list(lora.targets)
    torch.manual_seed(seed)
    return get_peft_model(
        model,
        LoraConfig(
            r=lora.rank,
            lora_alpha=int(lora.alpha),
            lora_dropout=lora.dropout,
            target_modules=targets,
            task_type="CAUSAL_LM",
        ),
    )


def held_bytes(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> int:
    """Bytes that an arm keeps between its steps: weights, buffers, gradients, optimizer states."""
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [one.grad for one in model.parameters() if one.grad is not None]
    if optimizer is not None:
        for state in optimizer.state.values():
            tensors += [value for value in state.values() if torch.is_tensor(value)]
    sizes = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(sizes.values())


def flops_per_token(model: nn.Module, shape: Shape, length: int) -> float:
    """Matrix-product FLOPs of forward and backward per token, attention over `length` included.

    2 per weight forward, 2 for the gradient of its input, 2 for its own where it is trained; causal
    attention halves length x length (the formula of `runner.estimator.flops`).
    """
    total = 0.0
    for name, weight in model.named_parameters():
        if weight.dim() != 2 or ("embed" in name and not shape.tied):
            continue
        total += weight.numel() * (6.0 if weight.requires_grad else 4.0)
    return total + 6.0 * shape.layers * shape.heads * shape.head * length
