"""Watches one whole step from below: which operators ran in which dtype, and what memory lived.

The step is a real training step and is never timed: watching slows it down. Compiled and sharded
models hide their operators: of those only what goes into the model is seen.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PRODUCTS = ("mm", "addmm", "bmm", "linear", "matmul")


@dataclass
class Seen:
    """What the step did."""

    operators: Counter[str] = field(default_factory=Counter)
    product_dtypes: Counter[str] = field(default_factory=Counter)
    """Dtypes of two-dimensional matrix products: what autocast made of them."""
    peak_bytes: int | None = None
    """Most bytes of live tensors at one time, weights and states included."""
    input_shapes: list[tuple[int, ...]] = field(default_factory=list)
    """Of `input_ids`, one per micro-batch."""
    layer_calls: int | None = None
    """Calls of a part of the first decoder layer: two per micro-batch where it is recomputed."""
    autocast: str | None = None
    """Dtype of autocast while the model ran, None: off."""


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators, dtypes and the bytes of live storages."""

    def __init__(self, seen: Seen, held: dict[int, int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen, self._live = seen, dict(held)
        self._bytes = self._peak = sum(held.values())
        self._refs: dict[int, Any] = {}
        seen.peak_bytes = self._bytes

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.seen.operators[name] += 1
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                if name in PRODUCTS and leaf.is_floating_point():
                    self.seen.product_dtypes[str(leaf.dtype).removeprefix("torch.")] += 1
                self._keep(leaf)
        return out

    def _keep(self, tensor: torch.Tensor) -> None:
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return  # a tensor without bytes of its own
        key = storage._cdata
        if key in self._live:
            return
        size = storage.nbytes()
        self._live[key] = size
        self._bytes += size
        self._peak = self.seen.peak_bytes = max(self._peak, self._bytes)
        self._refs[key] = weakref.ref(storage, self._forget(key))

    def _forget(self, key: int) -> Callable[[object], None]:
        def gone(_: object) -> None:
            self._bytes -= self._live.pop(key, 0)
            self._refs.pop(key, None)

        return gone


def watch_step(
    model: nn.Module, layers: list[nn.Module], step: Callable[[], Any], *, hidden: bool = False
) -> tuple[Seen, Any]:
    """Run `step` and see what it does.

    Args:
        model: as it is called.
        layers: its decoder layers.
        step: takes one training step.
        hidden: whether the model hides its operators.
    """
    seen = Seen()

    def before_model(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        seen.input_shapes.append(tuple(kwargs["input_ids"].shape))
        kind = kwargs["input_ids"].device.type
        if torch.is_autocast_enabled(kind):
            seen.autocast = str(torch.get_autocast_dtype(kind)).removeprefix("torch.")

    def before_layer(*_: Any) -> None:
        seen.layer_calls = (seen.layer_calls or 0) + 1

    hooks = [model.register_forward_pre_hook(before_model, with_kwargs=True)]
    inner = next(layers[0].children(), None) if layers and not hidden else None
    if inner is not None:  # transformers checkpoints a layer's forward: its own hooks run once
        hooks.append(inner.register_forward_pre_hook(before_layer))
    try:
        with contextlib.nullcontext() if hidden else _Watch(seen, _sizes(model)):
            done = step()
    finally:
        for hook in hooks:
            hook.remove()
    return seen, done


def _sizes(model: nn.Module) -> dict[int, int]:
    """Storages that exist before the step -> their bytes."""
    stores = [one.untyped_storage() for one in (*model.parameters(), *model.buffers())]
    return {one._cdata: one.nbytes() for one in stores}
