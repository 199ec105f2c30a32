"""Executables that answer like a card maker's tools, in the formats that those print."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from audit.records.base import Json


def write_tool(folder: Path, name: str, answers: dict[str, str], seconds: float = 0) -> None:
    """An executable that prints the answer whose key is among its words, else fails."""
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.write_text(
        f"#!{sys.executable}\n"
        "import sys, time\n"
        f"time.sleep({seconds})\n"
        f"for key, text in {answers!r}.items():\n"
        "    if any(key in word for word in sys.argv[1:]) or not key:\n"
        "        print(text)\n"
        "        raise SystemExit(0)\n"
        "raise SystemExit(1)\n"
    )
    tool.chmod(0o755)


def amd_static(count: int = 8, power: int = 750, partition: str = "SPX") -> list[Json]:
    """`amd-smi static --json` of MI300X cards, the parts that are read."""
    return [
        {
            "gpu": number,
            "asic": {
                "market_name": "AMD Instinct MI300X",
                "device_id": "0x74a1",
                "asic_serial": "0xSECRET",
                "target_graphics_version": "gfx942",
            },
            "limit": {
                "max_power": {"value": 750, "unit": "W"},
                "socket_power": {"value": power, "unit": "W"},
            },
            "driver": {"name": "amdgpu", "version": "6.12.12"},
            "vram": {"type": "HBM", "size": {"value": 196592, "unit": "MB"}},
            "partition": {"compute_partition": partition, "memory_partition": "NPS1"},
        }
        for number in range(count)
    ]


def amd_usage(count: int = 8, used: int = 283) -> list[Json]:
    """`amd-smi metric --mem-usage --json`."""
    usage = {"total_vram": {"value": 196592, "unit": "MB"}, "used_vram": {"value": used}}
    return [{"gpu": number, "mem_usage": usage} for number in range(count)]


def write_amd(folder: Path, *, wrapped: bool = False, used: int = 283, **static: Json) -> None:
    """An amd-smi; `wrapped` as from ROCm 7 on."""
    blocks, usage = amd_static(**static), amd_usage(static.get("count", 8), used)
    links = [
        {"gpu": one, "links": [{"gpu": two, "link_type": "XGMI"} for two in range(len(blocks))]}
        for one in range(len(blocks))
    ]
    answers = {"static": blocks, "metric": usage, "topology": links}
    write_tool(
        folder,
        "amd-smi",
        {
            name: json.dumps({"gpu_data": found} if wrapped else found)
            for name, found in answers.items()
        },
    )


ROCM = {
    "card0": {
        "Card Series": "AMD Instinct MI210",
        "GFX Version": "gfx90a",
        "VRAM Total Memory (B)": "68702699520",
        "VRAM Total Used Memory (B)": "10960896",
        "Max Graphics Package Power (W)": "300.0",
        "Compute Partition": "N/A",
    },
    "system": {"Driver version": "6.7.0"},
}
NVIDIA = (
    "NVIDIA H100 80GB HBM3, 81559, 523, 550.54.15, 700.00, 700.00, Disabled, 9.0\n"
    "NVIDIA H100 80GB HBM3, 81559, 41000, 550.54.15, 500.00, 700.00, Disabled, 9.0"
)
TOPOLOGY = (
    "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV18\t0-47\nGPU1\tNV18\t X \t0-47\n\nLegend:\n"
    "  NV#  = Connection traversing a bonded set of # NVLinks"
)
HEAD = "| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4     |"


def write_nvidia(folder: Path) -> None:
    """An nvidia-smi with two cards."""
    write_tool(folder, "nvidia-smi", {"--query-gpu": NVIDIA, "topo": TOPOLOGY, "": HEAD})


def write_interpreter(
    folder: Path,
    versions: dict[str, str],
    torch: Json,
    broken: tuple[str, ...] = (),
    wheels: int = 0,
) -> Path:
    """An executable that answers the three questions of `runner.box.packages`."""
    listed = json.dumps(
        {"python": "3.12.4", "found": versions, "cuda_wheels": wheels, "torches": 1}
    )
    said = json.dumps(torch) if torch else "no"
    script = (
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "code, rest = sys.argv[2], sys.argv[3:]\n"
        "if 'metadata' in code:\n"
        f"    print({listed!r})\n"
        "elif 'hip' in code:\n"
        "    print('a banner of some library')\n"
        f"    print({said!r})\n"
        "else:\n"
        f"    why = 'ImportError: undefined symbol' if rest[0] in {broken!r} else None\n"
        "    print(json.dumps({'why': why}))\n"
    )
    folder.mkdir(exist_ok=True)
    path = folder / "trainer-python"
    path.write_text(script)
    path.chmod(0o755)
    return path
