"""Makes the optimizer that a file names; one that is not installed raises, it is never replaced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from audit.records.translated import Recipe

TORCH_ADAMW: dict[str, dict[str, Any]] = {
    "adamw_torch": {},
    "adamw_torch_fused": {"fused": True},
    "adamw_torch_foreach": {"foreach": True},
}
BITSANDBYTES: dict[str, str] = {
    "adamw_bnb_8bit": "AdamW8bit",
    "adamw_8bit": "AdamW8bit",
    "paged_adamw_8bit": "PagedAdamW8bit",
    "paged_adamw_32bit": "PagedAdamW32bit",
    "lion_8bit": "Lion8bit",
    "lion_32bit": "Lion32bit",
}


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The named optimizer over what is trained; biases and norms are not decayed, as Trainer does.

    Raises:
        ImportError: its package is not installed.
        ValueError: the name is not one that the worker knows.
    """
    name, groups = recipe.optimizer, _groups(model, recipe.weight_decay)
    rate: dict[str, Any] = {"lr": recipe.learning_rate}
    if name in TORCH_ADAMW:
        return torch.optim.AdamW(groups, **rate, **TORCH_ADAMW[name])
    if name == "sgd":
        return torch.optim.SGD(groups, **rate)
    if name == "adafactor":
        from transformers.optimization import Adafactor

        found: torch.optim.Optimizer = Adafactor(
            groups, **rate, scale_parameter=False, relative_step=False
        )
        return found
    if name in BITSANDBYTES:
        import bitsandbytes

        made: torch.optim.Optimizer = getattr(bitsandbytes.optim, BITSANDBYTES[name])(
            groups, **rate
        )
        return made
    message = f"the worker has no optimizer called {name}"
    raise ValueError(message)


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    wide = [weight for weight in trained if weight.dim() > 1]
    narrow = [weight for weight in trained if weight.dim() <= 1]
    groups: Iterable[dict[str, Any]] = (
        {"params": wide, "weight_decay": decay},
        {"params": narrow, "weight_decay": 0.0},
    )
    return [group for group in groups if group["params"]]
