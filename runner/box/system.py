"""Reads what the kernel and the container allow a training process: /proc, /sys and its limits."""

from __future__ import annotations

import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path

GB = 1e9


@dataclass(frozen=True, slots=True)
class System:
    """Limits of this machine or container; None: not stated there. GB are 1e9 bytes."""

    cores: int
    """Cores that this process may use."""
    memory_gb: float | None
    """Host memory, or the container's limit where that is lower."""
    contained: bool
    """Whether the container's limit is the lower one."""
    shared_gb: float | None
    """/dev/shm: where loader workers hand over batches."""
    numa_balancing: bool | None
    numa_nodes: int
    locked_memory: bool
    """Whether memory can be locked without a limit (RDMA and RCCL register buffers)."""
    rocm: str | None
    kernel: str
    kfd: bool | None
    """/dev/kfd can be opened; None: it is not there."""


def read_system(root: Path = Path("/")) -> System:
    """The limits; `root` is where /proc, /sys, /dev and /opt stand."""
    host = _meminfo(root / "proc/meminfo")
    limit = _cgroup(root)
    contained = limit is not None and (host is None or limit < host)
    balancing = _line(root / "proc/sys/kernel/numa_balancing")
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    kfd = root / "dev/kfd"
    return System(
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_gb=limit if contained else host,
        contained=contained,
        shared_gb=_shared(root / "dev/shm"),
        numa_balancing=None if balancing is None else balancing != "0",
        numa_nodes=len(list((root / "sys/devices/system/node").glob("node[0-9]*"))),
        locked_memory=locked in (-1, resource.RLIM_INFINITY),
        rocm=_rocm(root),
        kernel=os.uname().release,
        kfd=os.access(kfd, os.R_OK | os.W_OK) if kfd.exists() else None,
    )


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _meminfo(path: Path) -> float | None:
    found = re.search(r"MemTotal:\s+(\d+) kB", _line(path) or "")
    return int(found[1]) * 1024 / GB if found else None


def _cgroup(root: Path) -> float | None:
    """The container's memory limit: cgroup v2, then v1; `max` and absurd values mean none."""
    for name in ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _line(root / name) or ""
        if text.isdigit() and int(text) < 1 << 60:
            return int(text) / GB
    return None


def _shared(path: Path) -> float | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_blocks * found.f_frsize / GB


def _rocm(root: Path) -> str | None:
    found = re.match(r"\d+\.\d+(\.\d+)?", _line(root / "opt/rocm/.info/version") or "")
    return found[0] if found else None
