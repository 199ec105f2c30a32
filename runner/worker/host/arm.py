"""One arm that trains: built once, then asked for steps, each timed with the tokens it processed.

A step is what transformers' Trainer does between two optimizer updates: fetch all micro-batches,
count their targets, forward and backward each with the loss divided by that count, clip, update.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler

from audit.records.measured import StepRow
from audit.records.translated import Recipe, TranslatedArm, Translation
from runner.worker.host.batches import Plan
from runner.worker.host.collate import Batches, MicroBatch
from runner.worker.host.compiled import Compiler, compiled
from runner.worker.host.device import Device
from runner.worker.host.model import DTYPES, build_model, held_bytes
from runner.worker.host.optimizer import make_optimizer
from runner.worker.host.ranks import Ranks
from runner.worker.host.samples import Stream


class InOrder(Sampler[int]):
    """0, 1, 2, ... without holding them."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(1 << 30))


@dataclass
class ArmRun:
    """What one arm consists of while it runs."""

    arm: TranslatedArm
    device: Device
    ranks: Ranks
    model: nn.Module
    """As it is called: wrapped for data parallelism, compiled."""
    optimizer: torch.optim.Optimizer
    loader: DataLoader[MicroBatch]
    scaler: Any
    """torch.amp.GradScaler with fp16, else None."""
    counts_cpu: bool = True
    """Whether the process's own CPU time tells the arms apart: their loaders work alike."""
    index: int = 0
    """Steps taken."""
    passes: int = 0
    """Forward passes begun."""
    compiler: Compiler | None = None
    """What compiled the model, where something did."""
    clipped_to: float | None = None
    """The limit that the last step clipped its gradients to."""
    logs: int = 0
    """Steps that were logged."""
    _feed: Iterator[MicroBatch] | None = field(default=None, repr=False)
    _logged: str = field(default="", repr=False)

    @property
    def recipe(self) -> Recipe:
        """Its settings."""
        return self.arm.recipe

    @property
    def feed(self) -> Iterator[MicroBatch] | None:
        """The loader's iterator once a step was taken."""
        return self._feed

    def held(self) -> int:
        """Bytes held between steps."""
        return held_bytes(self.model, self.optimizer)

    def step(self, round_: int, place: int, others: int) -> StepRow:
        """Take one step; `others`: bytes that the other arm holds on the device."""
        self.device.start_peak()
        self.ranks.wait()
        start, cpu = self.device.now(), time.process_time()
        batches, waited = self._fetch()
        targets = self.ranks.total(sum(batch.targets for batch in batches))
        loss = torch.zeros((), device=self.device.torch)
        for number, batch in enumerate(batches):
            with self.ranks.last_only(self.model, last=number == len(batches) - 1):
                loss += self._backward(batch, targets)
        norm = self._update()
        self.index += 1
        if self.index % max(1, self.recipe.logging_steps) == 0:
            self._log(loss)
        seconds, cpu = self.device.now() - start, time.process_time() - cpu
        counts = self.ranks.totals(
            [
                sum(one.samples for one in batches),
                sum(one.real for one in batches),
                sum(one.padded for one in batches),
            ]
        )
        return StepRow(
            arm=self.arm.name,
            round=round_,
            index=self.index - 1,
            place=place,
            seconds=seconds,
            cpu_seconds=cpu if self.counts_cpu else None,
            samples=counts[0],
            real_tokens=counts[1],
            padded_tokens=counts[2],
            loss=self.ranks.mean(float(loss)),
            grad_norm=float(norm),
            data_wait_s=waited,
            peak=self.device.peak(others),
        )

    def _fetch(self) -> tuple[list[MicroBatch], float]:
        """The micro-batches of one step, on the device, and the seconds spent waiting for them."""
        if self._feed is None:
            self._feed = iter(self.loader)
        start = time.perf_counter()
        batches = [next(self._feed) for _ in range(self.recipe.accumulation)]
        waited = time.perf_counter() - start
        pinned = self.recipe.loader.pin_memory and self.device.gpu
        for batch in batches:
            for name, value in batch.inputs.items():
                batch.inputs[name] = value.to(self.device.torch, non_blocking=pinned)
        return batches, waited

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Mixed precision as the recipe says; nothing for fp32."""
        if self.recipe.precision in ("bf16", "fp16"):
            return torch.autocast(self.device.type, dtype=DTYPES[self.recipe.precision])
        return contextlib.nullcontext()

    def _backward(self, batch: MicroBatch, targets: int) -> torch.Tensor:
        """Forward and backward of one micro-batch; its share of the step's mean loss."""
        self.passes += 1
        with self.autocast():
            out = self.model(
                **batch.inputs,
                num_items_in_batch=torch.tensor(targets, device=self.device.torch),
            )
        loss: torch.Tensor = out.loss
        # ranks average gradients: each loss is of all ranks' targets, so it is scaled back
        scaled = loss * self.ranks.count
        (self.scaler.scale(scaled) if self.scaler else scaled).backward()
        return scaled.detach()

    def _update(self) -> torch.Tensor:
        """Clip and update; the norm before clipping, left on the device."""
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.clipped_to = self.recipe.max_grad_norm or float("inf")
        norm: Any = torch.nn.utils.clip_grad_norm_(trained, self.clipped_to)
        if hasattr(norm, "full_tensor"):
            norm = norm.full_tensor()
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        found: torch.Tensor = norm
        return found

    def _log(self, loss: torch.Tensor) -> None:
        """What logging costs: the device must finish, the number is written as text."""
        self._logged = json.dumps({"step": self.index, "loss": round(loss.item(), 4)})
        self.logs += 1

    def close(self) -> None:
        """Stop the loader's processes and let go of everything on the device."""
        feed = self._feed
        if feed is not None and hasattr(feed, "_shutdown_workers"):
            feed._shutdown_workers()
        self._feed = None
        self.model = nn.Identity()
        self.optimizer.state.clear()
        self.optimizer.param_groups.clear()


def build_arm(
    translation: Translation, arm: TranslatedArm, device: Device, ranks: Ranks, seed: int
) -> ArmRun:
    """Build one arm; what its recipe asks takes effect before its objects exist.

    Raises:
        ImportError, ValueError, RuntimeError: it cannot be built on this device.
    """
    recipe = arm.recipe
    stream = Stream(translation.samples, recipe.max_length, translation.shape.vocab, seed)
    set_matmul(recipe)
    model: Any = ranks.wrap(build_model(translation.shape, recipe, device, seed), recipe, device)
    optimizer = make_optimizer(model, recipe)
    model, compiler = compiled(model) if recipe.compiled else (model, None)
    loader = recipe.loader
    batches = Batches(Plan(stream, recipe, seed), ranks.rank, ranks.count)
    return ArmRun(
        arm=arm,
        device=device,
        ranks=ranks,
        model=model,
        optimizer=optimizer,
        loader=DataLoader(
            batches,
            batch_size=None,
            sampler=InOrder(),
            num_workers=loader.workers,
            pin_memory=loader.pin_memory and device.gpu,
            prefetch_factor=(loader.prefetch or 2) if loader.workers else None,
            persistent_workers=loader.persistent and loader.workers > 0,
        ),
        scaler=torch.amp.GradScaler(device.type) if recipe.precision == "fp16" else None,
        compiler=compiler,
        counts_cpu=len({one.recipe.loader.workers for one in translation.arms}) == 1,
    )


def set_matmul(recipe: Recipe) -> None:
    """tf32 or full fp32 products: a switch of the process, so it is set before every step."""
    torch.set_float32_matmul_precision("high" if recipe.precision == "tf32" else "highest")
