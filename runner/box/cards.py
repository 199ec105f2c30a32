"""Reads the cards of this machine from amd-smi, rocm-smi or nvidia-smi.

The tools' output differs by release: `amd-smi` prints a list, from ROCm 7 on an object with
`gpu_data`; a figure that a release does not print is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from audit.records.base import Json
from audit.records.errors import UnknownName
from kb.catalog.hardware import find_hardware
from runner.box.command import has_tool, run_json, run_tool

TOOLS = ("amd-smi", "rocm-smi", "nvidia-smi")
_VIRTUAL = re.compile(r"\s+(VF|HF|OAM)\b.*")
_NVIDIA = (
    "name", "memory.total", "memory.used", "driver_version", "power.limit", "power.default_limit",
    "mig.mode.current", "compute_cap",
)  # fmt: skip
_ROCM = (
    "--showproductname", "--showmeminfo", "vram", "--showmaxpower", "--showcomputepartition",
    "--showmemorypartition", "--showdriverversion",
)  # fmt: skip
MIB = 1.048576e-3
"""1e9 bytes."""


@dataclass(frozen=True, slots=True)
class Device:
    """One card as its maker's tool names it; None: the tool does not say. GB are 1e9 bytes."""

    name: str
    vendor: Literal["amd", "nvidia"]
    arch: str | None = None
    memory_gb: float | None = None
    used_gb: float | None = None
    power_w: float | None = None
    """The cap in force."""
    power_max_w: float | None = None
    compute_partition: str | None = None
    """SPX, DPX, CPX; on NVIDIA `MIG` where it is switched on."""
    memory_partition: str | None = None
    """NPS1, NPS4."""
    driver: str | None = None

    @property
    def id(self) -> str | None:
        """The catalogue's id; None for a card that is not in it."""
        try:
            return find_hardware(_VIRTUAL.sub("", self.name)).id
        except UnknownName:
            return None


def read_devices(limit: float) -> tuple[Device, ...]:
    """Every card that the first tool which answers within `limit` seconds names."""
    for read in (_from_amd_smi, _from_rocm_smi, _from_nvidia_smi):
        found = tuple(read(limit))
        if found:
            return found
    return ()


def has_gpu_tool() -> bool:
    """Whether a tool of a card maker is installed; costs no process."""
    return any(has_tool(name) for name in TOOLS)


def _from_amd_smi(limit: float) -> Iterator[Device]:
    blocks = _gpu_blocks(run_json(["amd-smi", "static", "--json"], limit))
    if not blocks:
        return
    used = _gpu_blocks(run_json(["amd-smi", "metric", "--mem-usage", "--json"], limit))
    for place, block in enumerate(blocks):
        asic, power = _part(block, "asic"), _part(block, "limit")
        partition, memory = _part(block, "partition"), _part(block, "vram")
        usage = _part(used[place], "mem_usage") if place < len(used) else {}
        yield Device(
            name=_text(asic.get("market_name")) or "AMD card",
            vendor="amd",
            arch=_text(asic.get("target_graphics_version")),
            memory_gb=_scaled(memory.get("size"), MIB),
            used_gb=_scaled(usage.get("used_vram"), MIB),
            power_w=_first(power, "socket_power", "current_power", "power_limit"),
            power_max_w=_first(power, "max_power", "max_power_limit"),
            compute_partition=_text(partition.get("compute_partition")),
            memory_partition=_text(partition.get("memory_partition")),
            driver=_text(_part(block, "driver").get("version")),
        )


def _from_rocm_smi(limit: float) -> Iterator[Device]:
    found = run_json(["rocm-smi", *_ROCM, "--json"], limit)
    if not isinstance(found, dict):
        return
    driver = _text(_part(found, "system").get("Driver version"))
    for name, card in sorted(found.items()):
        if not re.fullmatch(r"card\d+", name) or not isinstance(card, dict):
            continue
        yield Device(
            name=_text(card.get("Card Series") or card.get("Card series")) or "AMD card",
            vendor="amd",
            arch=_text(card.get("GFX Version")),
            memory_gb=_scaled(card.get("VRAM Total Memory (B)"), 1e-9),
            used_gb=_scaled(card.get("VRAM Total Used Memory (B)"), 1e-9),
            power_w=_scaled(card.get("Max Graphics Package Power (W)"), 1.0),
            compute_partition=_text(card.get("Compute Partition")),
            memory_partition=_text(card.get("Memory Partition")),
            driver=driver,
        )


def _from_nvidia_smi(limit: float) -> Iterator[Device]:
    asked = f"--query-gpu={','.join(_NVIDIA)}"
    text = run_tool(["nvidia-smi", asked, "--format=csv,noheader,nounits"], limit) or ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(_NVIDIA):
            continue
        row = dict(zip(_NVIDIA, cells, strict=True))
        cap = _text(row["compute_cap"])
        yield Device(
            name=row["name"],
            vendor="nvidia",
            arch=f"sm_{cap.replace('.', '')}" if cap else None,
            memory_gb=_scaled(row["memory.total"], MIB),
            used_gb=_scaled(row["memory.used"], MIB),
            power_w=_scaled(row["power.limit"], 1.0),
            power_max_w=_scaled(row["power.default_limit"], 1.0),
            compute_partition="MIG" if row["mig.mode.current"] == "Enabled" else None,
            driver=_text(row["driver_version"]),
        )


def _gpu_blocks(found: Json) -> list[Mapping[str, Any]]:
    if isinstance(found, dict):
        found = found.get("gpu_data")
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


def _part(block: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = block.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: Json) -> str | None:
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    return None if text.upper() in ("", "N/A", "[N/A]", "UNKNOWN") else text


def _scaled(value: Json, unit: float) -> float | None:
    """`196592`, `"750"` or `{"value": 750, "unit": "W"}` times `unit`."""
    if isinstance(value, dict):
        value = value.get("value")
    try:
        return round(float(value) * unit, 3)
    except (TypeError, ValueError):
        return None


def _first(block: Mapping[str, Any], *names: str) -> float | None:
    return next((one for name in names if (one := _scaled(block.get(name), 1.0))), None)
