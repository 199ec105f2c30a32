"""Makes the tensors of a micro-batch: padded, packed or joined, with what keeps samples apart.

Packed rows carry positions that start again at each sample and no attention mask: transformers
reads from them which tokens belong together and isolates the samples in every kernel. The first
token of each sample is no target, padded or packed, so both count the same targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from audit.records.translated import Recipe
from runner.worker.host.batches import Plan, Row

IGNORED = -100
"""Label that the loss leaves out."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Model inputs, and what they hold."""

    inputs: dict[str, torch.Tensor]
    samples: int
    real: int
    padded: int
    """Tokens processed, padding included."""
    targets: int

    def pin_memory(self) -> MicroBatch:
        """The loader calls this where the recipe asks for pinned memory."""
        pinned = {name: value.pin_memory() for name, value in self.inputs.items()}
        return MicroBatch(pinned, self.samples, self.real, self.padded, self.targets)


class Batches(Dataset[MicroBatch]):
    """Micro-batch `number` of one rank, collated where it is asked for, be it a loader process."""

    def __init__(self, plan: Plan, rank: int = 0, ranks: int = 1) -> None:
        self.plan, self.rank, self.ranks = plan, rank, ranks

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int) -> MicroBatch:
        return self.collate(self.plan.rows(number * self.ranks + self.rank))

    def collate(self, rows: tuple[Row, ...]) -> MicroBatch:
        """The tensors of some rows."""
        recipe = self.plan.recipe
        if recipe.padding == "padding_free":
            rows = (tuple(index for row in rows for index in row),)
        tokens = [[self.plan.stream.tokens(index) for index in row] for row in rows]
        width = _width(recipe, [sum(map(len, row)) for row in tokens])
        apart = recipe.isolated and recipe.padding in ("packed", "padding_free")
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        extra = torch.zeros_like(ids)
        for place, row in enumerate(tokens):
            at = 0
            for sample in row:
                end = at + len(sample)
                ids[place, at:end] = sample
                labels[place, at + 1 : end] = sample[1:]
                extra[place, at:end] = torch.arange(len(sample)) if apart else 1
                at = end
            if apart:
                extra[place, at:] = torch.arange(width - at)
        real = sum(len(sample) for row in tokens for sample in row)
        return MicroBatch(
            inputs={
                "input_ids": ids,
                "labels": labels,
                "position_ids" if apart else "attention_mask": extra,
            },
            samples=sum(map(len, rows)),
            real=real,
            padded=ids.numel(),
            targets=int((labels != IGNORED).sum()),
        )


def _width(recipe: Recipe, lengths: list[int]) -> int:
    return recipe.max_length if recipe.padding == "max" else max(lengths)
