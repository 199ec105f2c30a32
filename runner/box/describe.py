"""Describes this box as JSON: versions, cards, links, drivers; to upload beside a training file.

Read back by `workload.versions`. No host name, address, serial number or path is in it.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from runner.box.cards import Device, read_devices
from runner.box.command import PATIENT, run_json, run_tool
from runner.box.packages import read_packages
from runner.box.system import read_system

Description = dict[str, Any]


def describe_box(interpreter: str, root: Path = Path("/"), limit: float = PATIENT) -> Description:
    """`{"versions", "hardware", "topology", "system"}` of the machine and one interpreter."""
    devices, system = read_devices(limit), read_system(root)
    installed = read_packages(interpreter, limit)
    versions = dict(installed.versions)
    if installed.python:
        versions["python"] = installed.python
    if system.rocm:
        versions["rocm"] = system.rocm
    cuda = _cuda(devices, limit)
    if cuda:
        versions["cuda"] = cuda
    return {
        "about": "python -m agent env",
        "versions": versions,
        "hardware": _hardware(devices),
        "topology": _topology(devices, limit),
        "system": {
            "kernel": system.kernel,
            "cores": system.cores,
            "memory_gb": _rounded(system.memory_gb),
            "shared_memory_gb": _rounded(system.shared_gb),
            "numa_nodes": system.numa_nodes,
        },
    }


def _hardware(devices: tuple[Device, ...]) -> Description:
    """The kind of card that there are most of, how many, and what its tool says."""
    if not devices:
        return {"id": None, "gpus": 0, "devices": []}
    most = Counter(device.name for device in devices).most_common(1)[0][0]
    first = next(device for device in devices if device.name == most)
    return {
        "id": first.id,
        "name": first.name,
        "vendor": first.vendor,
        "arch": first.arch,
        "gpus": sum(device.name == most for device in devices),
        "driver": first.driver,
        "devices": [
            {
                "name": device.name,
                "memory_gb": _rounded(device.memory_gb),
                "power_w": device.power_w,
                "compute_partition": device.compute_partition,
                "memory_partition": device.memory_partition,
            }
            for device in devices
        ],
    }


def _topology(devices: tuple[Device, ...], limit: float) -> list[list[str]]:
    """Link between each pair of cards (`XGMI`, `PCIE`, `NV18`, `SYS`), row by row; [] unknown."""
    if len(devices) < 2:
        return []
    if devices[0].vendor == "nvidia":
        return _nvidia_links(run_tool(["nvidia-smi", "topo", "-m"], limit) or "", len(devices))
    found = run_json(["amd-smi", "topology", "--link-type", "--json"], limit)
    rows = found.get("gpu_data", []) if isinstance(found, dict) else found
    links = [row.get("links") for row in rows or () if isinstance(row, dict)]
    return [
        [str(link.get("link_type", "?")) for link in row if isinstance(link, dict)]
        for row in links
        if isinstance(row, list)
    ]


def _nvidia_links(text: str, count: int) -> list[list[str]]:
    rows = [line.split() for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()]
    return [row[1 : count + 1] for row in rows if row and re.fullmatch(r"GPU\d+", row[0])][-count:]


def _cuda(devices: tuple[Device, ...], limit: float) -> str | None:
    """The newest CUDA that the driver takes, from the head of nvidia-smi."""
    if not devices or devices[0].vendor != "nvidia":
        return None
    found = re.search(r"CUDA Version:\s*(\d+\.\d+)", run_tool(["nvidia-smi"], limit) or "")
    return found[1] if found else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
