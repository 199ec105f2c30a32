"""Checks what a card and its machine allow: memory in use, partitions, power, NUMA, containers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.box.cards import Device
from runner.box.line import Line, ok, warn
from runner.box.system import System

IN_USE = 0.05
"""Share of a card's memory that others may hold before it is told."""
SHARED_GB = 8.0
"""Loader workers hand batches over in /dev/shm; a container gets 64 MB of it by default."""
CORES_PER_CARD = 4
"""A training process, its loader workers and the collective's thread."""


def check_limits(devices: Sequence[Device], system: System) -> Iterator[Line]:
    """Every limit, in the order of what it costs."""
    if devices:
        yield from _memory(devices)
        yield from _partition(devices[0])
        yield from _power(devices)
    yield from _numa(devices, system)
    yield from _container(devices, system)


def _memory(devices: Sequence[Device]) -> Iterator[Line]:
    known = [one for one in devices if one.memory_gb and one.used_gb is not None]
    if not known:
        return
    worst = max(known, key=lambda one: (one.used_gb or 0) / (one.memory_gb or 1))
    used, whole = worst.used_gb or 0.0, worst.memory_gb or 1.0
    if used > IN_USE * whole:
        text = f"{used:.0f} of {whole:.0f} GB of a card are in use already"
        yield warn("memory", text, "End the other process, or count with less memory.")
    else:
        yield ok("memory", f"{whole:.0f} GB per card, free")


def _partition(device: Device) -> Iterator[Line]:
    mode = " ".join(filter(None, (device.compute_partition, device.memory_partition)))
    if device.compute_partition == "MIG":
        text = "the card is cut into MIG slices"
        yield warn("partition", text, "Switch MIG off for training: nvidia-smi -mig 0.")
    elif device.compute_partition not in (None, "SPX"):
        text = f"the card is partitioned ({mode}): each part is a device with its share of memory"
        yield warn("partition", text, "Set it whole: amd-smi set --compute-partition SPX.")
    elif mode:
        yield ok("partition", mode)


def _power(devices: Sequence[Device]) -> Iterator[Line]:
    for device in devices:
        if device.power_w and device.power_max_w and device.power_w < 0.99 * device.power_max_w:
            text = f"power is capped at {device.power_w:.0f} of {device.power_max_w:.0f} W"
            yield warn("power", text, "Ask whoever runs the box whether the cap may be raised.")
            return
    if devices[0].power_w:
        yield ok("power", f"{devices[0].power_w:.0f} W")


def _numa(devices: Sequence[Device], system: System) -> Iterator[Line]:
    if system.numa_balancing is None or system.numa_nodes < 2:
        return
    if system.numa_balancing and devices and devices[0].vendor == "amd":
        # AMD's system guides for Instinct ask for it: page migration stalls the GPU's mappings.
        text = "automatic NUMA balancing is on"
        yield warn("NUMA", text, "Switch it off: sysctl kernel.numa_balancing=0.")
    else:
        state = "on" if system.numa_balancing else "off"
        yield ok("NUMA", f"{system.numa_nodes} nodes, balancing {state}")


def _container(devices: Sequence[Device], system: System) -> Iterator[Line]:
    if system.shared_gb is not None and system.shared_gb < SHARED_GB:
        text = f"/dev/shm holds {system.shared_gb:.2g} GB: loader workers may crash"
        yield warn("shared memory", text, "Start the container with --ipc=host or --shm-size=64g.")
    if len(devices) > 1 and not system.locked_memory:
        text = "locked memory is limited: RDMA between nodes may fail"
        yield warn("locked memory", text, "Start with --ulimit memlock=-1.")
    if devices and system.cores < CORES_PER_CARD * len(devices):
        text = f"{system.cores} cores for {len(devices)} cards"
        yield warn("cores", text, f"Give it at least {CORES_PER_CARD} per card.")
    whole = sum(device.memory_gb or 0 for device in devices)
    if system.memory_gb and whole and system.memory_gb < whole / 2:
        where = "container" if system.contained else "machine"
        text = f"the {where} has {system.memory_gb:.0f} GB for cards with {whole:.0f} GB in all"
        remedy = "Loading and saving a model that fills the cards needs as much: raise the limit."
        yield warn("host memory", text, remedy)
