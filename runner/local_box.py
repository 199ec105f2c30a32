"""The box that `--runner local` measures on: its catalogue card, calibrated where it is a CPU."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from audit.records.errors import SetupError, UserError
from audit.records.measured import Manifest
from kb.catalog.hardware import DTYPES, Hardware, find_hardware
from runner.box.detect import detect_hardware
from runner.box.system import read_system
from runner.translation.place import Place

CPU = "cpu"
SPARE = 0.6
"""Share of a machine's memory that a run may take: others live there too."""


class Box(NamedTuple):
    """What the worker said of the machine."""

    manifest: Manifest
    place: Place
    hardware: Hardware


def local_id() -> str:
    """The catalogue's id of this box; costs no process where no card maker's tool is installed."""
    return detect_hardware() or CPU


def refuse_other(hardware: str) -> None:
    """Raise UserError where a card is asked for that this box is not."""
    asked, here = find_hardware(hardware), find_hardware(local_id())
    if asked.id != here.id:
        message = f"--runner local measures on this box, which is {here.name}, not {asked.name}"
        raise UserError(message, remedy="Leave --hardware out, or use --runner fake for that card.")


def calibrated(rates: dict[str, float], memory_gb: float | None) -> Hardware:
    """The `cpu` entry with this machine's memory and the probe's rates in place of assumptions."""
    card = find_hardware(CPU)
    fp32 = rates.get("fp32")
    bf16 = rates.get("bf16", fp32)
    figures = {kind: {"fp32": fp32, "bf16": bf16}.get(kind) for kind in DTYPES}
    return replace(
        card,
        memory_gb=memory_gb,
        peak_tflops=MappingProxyType(figures),
        achievable_tflops=MappingProxyType(figures),
    )


def steady(rate: float) -> float:
    """A probed rate to the next half power of two.

    Two probes of one box differ by some percent; a model scaled by them must not, or no two audits
    would measure the same and no result be found again.
    """
    return 2.0 ** (round(2.0 * math.log2(rate)) / 2.0) if rate > 0 else rate


def place_of(manifest: Manifest, rates: dict[str, float]) -> Place:
    """What translations must know of the box.

    Raises:
        SetupError: a card stands here, and the worker's torch cannot use it.
    """
    if manifest.device_kind == "cpu" and local_id() != CPU:
        message = "this Python's torch sees no GPU, though one is here"
        remedy = "Run with the Python that you train with, or install torch for your card."
        raise SetupError(message, remedy=remedy)
    memory = manifest.memory_gb
    if memory is None:
        memory = SPARE * (read_system().memory_gb or 8.0)
    return Place(
        kind=manifest.device_kind,
        memory_gb=memory,
        rates={kind: steady(rate) for kind, rate in rates.items()},
        packages=manifest.versions,
        compiler=any(shutil.which(name) for name in ("c++", "g++", "clang++")),
    )
