"""What several ranks share: counts, means, and the wrapper that averages or shards gradients.

Started by torchrun (one process per card, gloo on a CPU); alone everything here is the identity.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from audit.records.translated import Recipe
from runner.worker.host.device import Device


class Ranks:
    """This process among its like."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.gpu else "gloo")

    def share(self, what: Any) -> Any:
        """What rank 0 holds, on every rank."""
        if self.count == 1:
            return what
        held = [what]
        dist.broadcast_object_list(held, src=0, device=self.device.torch)
        return held[0]

    def wait(self) -> None:
        """Until every rank is here: a step is timed from a common start."""
        if self.count > 1:
            dist.barrier()

    def totals(self, counts: Sequence[int]) -> list[int]:
        """Sums over all ranks."""
        if self.count == 1:
            return list(counts)
        held = torch.tensor(counts, dtype=torch.long, device=self.device.torch)
        dist.all_reduce(held)
        return [int(one) for one in held]

    def total(self, count: int) -> int:
        """The sum over all ranks."""
        return self.totals([count])[0]

    def mean(self, value: float) -> float:
        """The mean over all ranks."""
        if self.count == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64 if not self.device.gpu else torch.float32)
        held = held.to(self.device.torch)
        dist.all_reduce(held)
        return float(held) / self.count

    def wrap(self, model: nn.Module, recipe: Recipe, device: Device) -> nn.Module:
        """The model as data parallelism needs it.

        fsdp: every decoder layer sharded on its own, then the rest (torch's fully_shard). ddp:
        gradients averaged in buckets during the backward pass.
        """
        if self.count == 1 or recipe.sharding == "none":
            return model
        if recipe.sharding == "fsdp":
            from torch.distributed.fsdp import fully_shard

            for layer in layers_of(model):
                fully_shard(layer)
            fully_shard(model)
            return model
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(
            model,
            device_ids=[device.torch.index] if device.gpu else None,
            find_unused_parameters=recipe.find_unused,
        )

    def last_only(self, model: nn.Module, *, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Exchange gradients only behind the last micro-batch of a step, as Trainer does."""
        wrapped: Any = model
        if self.count > 1 and hasattr(wrapped, "set_requires_gradient_sync"):
            wrapped.set_requires_gradient_sync(last)
        elif self.count > 1 and not last:
            found: contextlib.AbstractContextManager[Any] = wrapped.no_sync()
            return found
        return contextlib.nullcontext()

    def close(self) -> None:
        """Leave the group."""
        if self.count > 1 and dist.is_initialized():
            dist.destroy_process_group()


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The decoder's layers, whatever wraps them."""
    lists = [list(part) for part in model.modules() if isinstance(part, nn.ModuleList)]
    return max(lists, key=len, default=[])
