"""Checks whether this box is fit to train: each line is ok, warn or bad, with what to do.

It changes nothing. Torch and its extensions are imported in processes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.box.cards import Device, read_devices
from runner.box.command import PATIENT, has_tool
from runner.box.limits import check_limits
from runner.box.line import Line, bad, ok, warn
from runner.box.packages import (
    IMPORT_LIMIT,
    Installed,
    Torch,
    read_packages,
    read_torch,
    why_not_imported,
)
from runner.box.system import System, read_system

Vendor = Literal["amd", "nvidia"]
EXTENSIONS = {
    # module -> names of its distribution
    "flash_attn": ("flash-attn",),
    "aiter": ("amd-aiter", "aiter"),
    "bitsandbytes": ("bitsandbytes",),
}
ROCM_WHEELS = (
    "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/rocm"
)
VISIBLE = {
    "amd": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "nvidia": ("CUDA_VISIBLE_DEVICES",),
}


@dataclass(frozen=True, slots=True)
class Box:
    """What was found."""

    devices: tuple[Device, ...]
    system: System
    installed: Installed
    torch: Torch | None

    @property
    def vendor(self) -> Vendor | None:
        """Maker of the cards; None without a card."""
        return self.devices[0].vendor if self.devices else None


def examine(
    interpreter: str,
    environment: Mapping[str, str],
    root: Path = Path("/"),
    limit: float = PATIENT,
) -> Iterator[Line]:
    """Every check, one line after the other as they are made."""
    installed = read_packages(interpreter, limit)
    torch = read_torch(interpreter) if "torch" in installed.versions else None
    box = Box(read_devices(limit), read_system(root), installed, torch)
    yield from _cards(box)
    yield from _torch(box, interpreter)
    yield from _visible(box, environment)
    yield from _extensions(box, interpreter)
    yield from check_limits(box.devices, box.system)


def _cards(box: Box) -> Iterator[Line]:
    if box.devices:
        first = box.devices[0]
        driver = f", driver {first.driver}" if first.driver else ""
        yield ok("cards", f"{len(box.devices)} x {first.name}{driver}")
        if len({device.name for device in box.devices}) > 1:
            text = "the cards differ: the slowest and smallest sets the pace"
            yield warn("cards", text, "Hide the others with HIP_ or CUDA_VISIBLE_DEVICES.")
        if box.system.kfd is False:
            text = "/dev/kfd cannot be opened by this user"
            yield bad("cards", text, "Add the user to groups render and video.")
        return
    if box.system.kfd is not None and not has_tool("amd-smi"):
        text = "the amdgpu driver is loaded, but neither amd-smi nor rocm-smi answers"
        yield warn("cards", text, "Install amd-smi-lib, or mount /opt/rocm into the container.")
        return
    yield bad("cards", "no GPU tool answers on this machine", "Install the driver of the card.")


def _torch(box: Box, interpreter: str) -> Iterator[Line]:
    if box.installed.python is None:
        yield bad("torch", f"{interpreter} does not answer", "Name another with --python.")
        return
    stated = box.installed.versions.get("torch")
    if stated is None:
        remedy = "Name the interpreter that trains with --python, or install torch into it."
        yield bad("torch", f"{interpreter} has no torch", remedy)
        return
    if box.torch is None:
        text = f"torch {stated} does not import within {IMPORT_LIMIT:.0f} s"
        yield bad("torch", text, f"See why: {interpreter} -c 'import torch'.")
        return
    yield from _build(box, box.torch)
    if box.installed.torches > 1:
        text = f"{box.installed.torches} installations of torch lie in one environment"
        yield bad("torch", text, "Remove them all with pip uninstall torch, then install one.")


def _build(box: Box, torch: Torch) -> Iterator[Line]:
    """Whether torch is built for the card, and whether pip put another build in its place."""
    built = f"ROCm {torch.hip}" if torch.hip else f"CUDA {torch.cuda}" if torch.cuda else "the CPU"
    version = box.system.rocm or "6.4"
    wheels = f"{ROCM_WHEELS}{'.'.join(version.split('.')[:2])}"
    if box.vendor == "amd" and not torch.hip:
        why = ""
        if box.installed.cuda_wheels:
            why = f": pip replaced the ROCm build ({box.installed.cuda_wheels} nvidia wheels came)"
        text = f"torch {torch.version} is built for {built}{why}"
        yield bad("torch", text, f"{wheels}; pin torch so that no later install replaces it.")
        return
    if box.vendor == "nvidia" and not torch.cuda:
        text = f"torch {torch.version} is built for {built}"
        yield bad("torch", text, "Install the CUDA build: pip install --force-reinstall torch.")
        return
    if box.vendor == "amd" and box.installed.cuda_wheels:
        text = f"{box.installed.cuda_wheels} nvidia wheels lie beside the ROCm build of torch"
        yield warn("torch", text, "A pip install pulled them in; pin torch and reinstall.")
    if box.vendor and not torch.available:
        text = f"torch {torch.version} ({built}) sees no card"
        remedy = "Check /dev/kfd, /dev/dri, or the container's --gpus option and the driver."
        yield bad("torch", text, remedy)
        return
    yield ok("torch", f"torch {torch.version}, built for {built}")
    series = _series(torch.hip), _series(box.system.rocm)
    if torch.hip and box.system.rocm and series[0] != series[1]:
        text = f"torch is built for ROCm {torch.hip} and ROCm {box.system.rocm} is installed"
        yield warn("torch", text, f"Mixed releases load two runtimes: {wheels}")


def _series(version: str | None) -> list[str]:
    return (version or "").split(".")[:2]


def _visible(box: Box, environment: Mapping[str, str]) -> Iterator[Line]:
    if box.vendor is None:
        return
    stated = {name: environment[name] for name in VISIBLE[box.vendor] if environment.get(name)}
    shown = ", ".join(f"{name}={value}" for name, value in stated.items())
    if len(set(stated.values())) > 1:
        text = f"{shown}: they hide cards one after the other"
        yield warn("visible cards", text, "Set one of them alone.")
    if box.torch is None or not box.torch.available:
        return
    count, total = box.torch.count, len(box.devices)
    if count == total:
        yield ok("visible cards", f"torch sees all {total}")
    elif stated:
        yield ok("visible cards", f"torch sees {count} of {total}: {shown}")
    else:
        text = f"torch sees {count} of {total} cards, and no variable hides them"
        remedy = "Check the device files that the container was given, and the partition mode."
        yield warn("visible cards", text, remedy)


def _extensions(box: Box, interpreter: str) -> Iterator[Line]:
    for module, names in EXTENSIONS.items():
        version = next((box.installed.versions.get(name) for name in names
                        if name in box.installed.versions), None)  # fmt: skip
        if version is None:
            continue
        if module == "aiter" and box.vendor == "nvidia":
            yield warn(module, f"{module} {version} is for AMD cards", "pip uninstall it.")
            continue
        why = why_not_imported(interpreter, module)
        if why is None:
            yield ok(module, f"{module} {version} imports")
        else:
            text = f"{module} {version} does not import: {why}"
            yield bad(module, text, f"Rebuild {names[0]} against the installed torch.")
