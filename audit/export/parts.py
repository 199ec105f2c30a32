"""The parts of a step and of the memory peak, in words and per arm: rows for tables and charts."""

from __future__ import annotations

from typing import Literal

from audit.export.arms import arms_of, only_one
from audit.records.profile import Part
from audit.records.report import Report

TIME_NAMES = {
    "gemm": "Matrix work",
    "attention": "Attention",
    "elementwise": "Elementwise work",
    "loss": "Loss and logits",
    "dequantize": "Unpacking weights",
    "launch": "Kernel launches",
    "communication": "Communication",
    "optimizer": "Optimizer",
    "data": "Waiting for data",
}
MEMORY_NAMES = {
    "weights": "Weights",
    "gradients": "Gradients",
    "optimizer": "Optimizer states",
    "activations": "Activations",
    "logits": "Loss logits",
    "other": "Context and buffers",
}


def name_of(part: str, names: dict[str, str]) -> str:
    """The page's word for a part."""
    return names.get(part, part.replace("_", " ").capitalize())


def by_part(parts: tuple[Part, ...]) -> dict[str, float]:
    """Seconds or 1e9 bytes by the part's own name."""
    return {part.name: part.value for part in parts}


def time_shares(report: Report) -> dict[str, list[float]]:
    """Seconds of one step by part, one value per arm; parts that are zero are left out."""
    return _shares(report, "breakdown", TIME_NAMES)


def memory_shares(report: Report) -> dict[str, list[float]]:
    """1e9 bytes at the peak by part, one value per arm."""
    return _shares(report, "memory", MEMORY_NAMES)


def _shares(
    report: Report, what: Literal["breakdown", "memory"], names: dict[str, str]
) -> dict[str, list[float]]:
    arms = [arm for _, arm in arms_of(report)]
    if only_one(report):
        arms = arms[:1]
    tables = [by_part(getattr(arm, what)) for arm in arms]
    keys = dict.fromkeys(name for table in tables for name in table)
    rows = {name_of(key, names): [table.get(key, 0.0) for table in tables] for key in keys}
    return {name: row for name, row in rows.items() if any(share > 0 for share in row)}
