"""Asks the card maker's tool once a second while the rounds run: busy share, clocks, power, heat.

nvidia-smi and amd-smi; without either there are no samples. Written from the tools' documentation;
docs/decisions/008 says on which cards it has run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import mean
from types import TracebackType
from typing import Any, Self

from audit.records.measured import GpuSample

EVERY = 1.0
"""Seconds between two samples."""
_NVIDIA = ("index", "utilization.gpu", "clocks.sm", "clocks.mem", "power.draw", "temperature.gpu",
           "driver_version")  # fmt: skip
Reading = tuple[int, dict[str, float]]


class Sampler:
    """Samples between entering and leaving."""

    def __init__(self) -> None:
        self._tool = next((one for one in ("nvidia-smi", "amd-smi") if shutil.which(one)), None)
        self._read: dict[int, list[dict[str, float]]] = defaultdict(list)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.driver: str | None = None

    def __enter__(self) -> Self:
        if self._tool:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def samples(self) -> tuple[GpuSample, ...]:
        """Means per card."""
        return tuple(
            GpuSample(device=device, samples=len(read), **_means(read))
            for device, read in sorted(self._read.items())
        )

    def _sample(self) -> None:
        while not self._over.is_set():
            for device, values in self._now():
                self._read[device].append(values)
            self._over.wait(EVERY)

    def _now(self) -> Iterator[Reading]:
        if self._tool == "nvidia-smi":
            query = f"--query-gpu={','.join(_NVIDIA)}"
            text = _run(["nvidia-smi", query, "--format=csv,noheader,nounits"])
            yield from read_nvidia(text)
            self.driver = self.driver or _driver(text)
        else:
            yield from read_amd(_run(["amd-smi", "metric", "--json"]))


def _run(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def read_nvidia(text: str) -> Iterator[Reading]:
    """Lines of `--format=csv,noheader,nounits`; a cell that is no number is left out."""
    names = ("busy", "clock_mhz", "memory_clock_mhz", "power_w", "temperature_c")
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(_NVIDIA) or not cells[0].isdigit():
            continue
        values = {name: found for name, cell in zip(names, cells[1:6], strict=True)
                  if (found := _number(cell)) is not None}  # fmt: skip
        if "busy" in values:
            values["busy"] /= 100
        yield int(cells[0]), values


def _driver(text: str) -> str | None:
    cells = text.splitlines()[0].split(",") if text.strip() else []
    return cells[-1].strip() if len(cells) == len(_NVIDIA) else None


def read_amd(text: str) -> Iterator[Reading]:
    """`amd-smi metric --json`: a list of cards, from ROCm 7 on under `gpu_data`."""
    try:
        found = json.loads(text)
    except ValueError:
        return
    cards = found.get("gpu_data", []) if isinstance(found, dict) else found
    for place, card in enumerate(cards if isinstance(cards, list) else []):
        if not isinstance(card, dict):
            continue
        paths = {
            "busy": ("usage", "gfx_activity"),
            "clock_mhz": ("clock", "gfx_0", "clk"),
            "memory_clock_mhz": ("clock", "mem_0", "clk"),
            "power_w": ("power", "socket_power"),
            "temperature_c": ("temperature", "hotspot"),
        }
        values = {name: found_ for name, path in paths.items()
                  if (found_ := _number(_at(card, path))) is not None}  # fmt: skip
        if "busy" in values:
            values["busy"] /= 100
        yield int(_number(card.get("gpu")) or place), values


def _at(card: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = card
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> float | None:
    if isinstance(value, dict):
        value = value.get("value")
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _means(read: list[dict[str, float]]) -> dict[str, float]:
    names = {name for one in read for name in one}
    return {name: mean(one[name] for one in read if name in one) for name in names}
