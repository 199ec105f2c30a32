"""What the machine under the arms is: versions, device, threads; and how fast it multiplies."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from statistics import median

import torch

from audit.records.measured import Manifest
from runner.worker.host.device import Device
from runner.worker.host.model import DTYPES

PACKAGES = (
    "torch", "triton", "pytorch-triton-rocm", "transformers", "peft", "bitsandbytes", "flash-attn",
    "liger-kernel", "accelerate", "numpy",
)  # fmt: skip
PROBE_SIZE = {"cpu": 768, "gpu": 8192}
"""Rows and columns of the probe's square matrices: past the last-level cache, under a second."""
PROBE_TIMES = 5
DRIVERS = ("/proc/driver/nvidia/version", "/sys/module/amdgpu/version")
_VERSION = re.compile(r"\b\d+(?:\.\d+)+\b")
_READ_BY_LIBRARIES = re.compile(
    r"(?:OMP|GOMP|KMP|MKL|OPENBLAS|ONEDNN|DNNL|ATEN|TORCH|TORCHINDUCTOR|PYTORCH|CUDA|CUBLAS|CUDNN|"
    r"HIP|HSA|ROCBLAS|HIPBLASLT|MIOPEN|NCCL|RCCL|MALLOC)_\w+|CC|CXX|LD_PRELOAD"
)
_PLAIN = re.compile(r"[\w.:,+=-]{0,120}")


def describe(device: Device, ranks: int, seed: int) -> Manifest:
    """The manifest, load averages left to the coordinator."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Manifest(
        device=device.name,
        device_kind=device.kind,
        devices=torch.cuda.device_count() if device.gpu else 1,
        ranks=ranks,
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        threads=torch.get_num_threads(),
        memory_gb=torch.cuda.mem_get_info(device.torch)[1] / 1e9 if device.gpu else None,
        runtime=torch.version.hip or torch.version.cuda,
        driver=_driver() if device.gpu else None,
        versions=versions,
        variables=variables(os.environ),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        seed=seed,
    )


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that decide how numeric libraries run; no path is told, only its digest."""
    names = [name for name in sorted(environment) if _READ_BY_LIBRARIES.fullmatch(name)]
    return {name: _told(environment[name]) for name in names}


def _told(value: str) -> str:
    plain = _PLAIN.fullmatch(value) is not None
    return value if plain else f"sha256 {sha256(value.encode()).hexdigest()[:12]}"


def _driver() -> str | None:
    """The release of the kernel's driver for the card."""
    for place in DRIVERS:
        try:
            found = _VERSION.search(Path(place).read_text())
        except OSError:
            continue
        if found:
            return found[0]
    return None


def _processor() -> str:
    """The processor's name as the kernel gives it, without serial numbers."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def probe(device: Device) -> dict[str, float]:
    """TFLOP/s of square matrix products per dtype: the median of some, after one to warm up."""
    size = PROBE_SIZE["gpu" if device.gpu else "cpu"]
    found: dict[str, float] = {}
    for name, dtype in DTYPES.items():
        if name == "fp16" and not device.gpu:
            continue
        left = torch.randn(size, size, device=device.torch).to(dtype)
        right = torch.randn(size, size, device=device.torch).to(dtype)
        left @ right
        times = []
        for _ in range(PROBE_TIMES):
            start = device.now() if device.gpu else time.process_time()
            left @ right
            times.append((device.now() if device.gpu else time.process_time()) - start)
        found[name] = 2 * size**3 / max(median(times), 1e-9) / 1e12
    return found
