"""`env`, `doctor` and detection, against executables that answer like the makers' tools."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from audit.records.base import Json
from audit.records.upload import Upload
from runner.box.cards import read_devices
from runner.box.command import run_tool
from runner.box.describe import describe_box
from runner.box.detect import detect_hardware
from runner.box.doctor import examine
from runner.box.line import Line
from runner.box.packages import read_packages, why_not_imported
from runner.box.system import read_system
from tests.runner.box.fake_tools import (
    ROCM,
    write_amd,
    write_interpreter,
    write_nvidia,
    write_tool,
)
from workload.read import read_workload

ROCM_TORCH = {
    "version": "2.9.0+rocm6.4", "hip": "6.4.43482", "cuda": None, "available": True, "count": 8,
    "names": [],
}  # fmt: skip
CUDA_TORCH = {
    "version": "2.9.0+cu128", "hip": None, "cuda": "12.8", "available": False, "count": 0,
    "names": [],
}  # fmt: skip
VERSIONS = {"torch": "2.9.0+rocm6.4", "transformers": "4.57.6", "trl": "0.24.0", "peft": "0.18.1"}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    detect_hardware.cache_clear()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with two NUMA nodes and ROCm 6.4.1, cut to 64 GB by its container."""
    files = {
        "proc/meminfo": "MemTotal:       2113568000 kB\nMemFree: 1 kB\n",
        "proc/sys/kernel/numa_balancing": "1\n",
        "sys/fs/cgroup/memory.max": "64000000000\n",
        "opt/rocm/.info/version": "6.4.1-83\n",
        "sys/devices/system/node/node0/x": "",
        "sys/devices/system/node/node1/x": "",
    }
    top = tmp_path / "root"
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def lines(interpreter: Path, root: Path, environment: dict[str, str] | None = None) -> list[Line]:
    return list(examine(str(interpreter), environment or {}, root, limit=10))


def found(checks: list[Line], name: str) -> dict[str, str]:
    return {line.level: line.text for line in checks if line.name == name}


@pytest.mark.parametrize("wrapped", [False, True])
def test_amd_smi_of_both_releases(tools: Path, wrapped: bool) -> None:
    write_amd(tools, wrapped=wrapped)
    devices = read_devices(10)
    assert len(devices) == 8
    first = devices[0]
    assert (first.id, first.vendor, first.arch) == ("mi300x", "amd", "gfx942")
    assert first.memory_gb == pytest.approx(206.1, abs=0.1)
    assert first.used_gb == pytest.approx(0.297, abs=0.01)
    assert (first.power_w, first.power_max_w, first.driver) == (750, 750, "6.12.12")
    assert (first.compute_partition, first.memory_partition) == ("SPX", "NPS1")


def test_rocm_smi_where_amd_smi_fails(tools: Path) -> None:
    write_tool(tools, "amd-smi", {})
    write_tool(tools, "rocm-smi", {"--json": f"WARNING: low power\n{json.dumps(ROCM)}"})
    (card,) = read_devices(10)
    assert (card.id, card.arch, card.compute_partition) == ("mi210", "gfx90a", None)
    assert card.memory_gb == pytest.approx(68.7, abs=0.1)
    assert (card.power_w, card.driver) == (300, "6.7.0")


def test_nvidia_smi(tools: Path) -> None:
    write_nvidia(tools)
    one, two = read_devices(10)
    assert (one.id, one.arch, one.driver) == ("h100-sxm", "sm_90", "550.54.15")
    assert two.power_w == 500
    assert detect_hardware() == "h100-sxm"


def test_virtual_functions_are_the_card(tools: Path) -> None:
    card = {**ROCM["card0"], "Card Series": "AMD Instinct MI300X VF"}
    write_tool(tools, "rocm-smi", {"--json": json.dumps({"card0": card})})
    assert detect_hardware() == "mi300x"


def test_no_tool_starts_no_process(tools: Path) -> None:
    start = time.perf_counter()
    assert detect_hardware() is None
    assert time.perf_counter() - start < 0.01


def test_slow_or_broken_tools_are_passed_over(tools: Path) -> None:
    write_tool(tools, "amd-smi", {"": "not JSON"})
    write_tool(tools, "nvidia-smi", {"": "x"}, seconds=30)
    start = time.perf_counter()
    assert run_tool(["nvidia-smi"], 0.3) is None
    assert read_devices(0.3) == ()
    assert time.perf_counter() - start < 5


def test_env_is_read_beside_a_file(tools: Path, root: Path, tmp_path: Path) -> None:
    write_amd(tools, count=2)
    python = write_interpreter(tmp_path / "bin", VERSIONS, ROCM_TORCH)
    box = describe_box(str(python), root, 10)
    assert box["versions"] == {**VERSIONS, "python": "3.12.4", "rocm": "6.4.1"}
    assert (box["hardware"]["id"], box["hardware"]["gpus"]) == ("mi300x", 2)
    assert box["topology"] == [["XGMI", "XGMI"], ["XGMI", "XGMI"]]
    text = json.dumps(box)
    assert "SECRET" not in text
    assert str(tmp_path) not in text
    name = "axolotl-lora-tf32.yml"
    recipe = Path(__file__).resolve().parents[3] / "examples" / name
    uploads = [Upload(name, recipe.read_bytes()), Upload("env.json", text.encode())]
    workload = read_workload(uploads)
    assert workload.versions["transformers"] == "4.57.6"
    assert workload.versions_origin == "stated"


def test_env_of_an_nvidia_box(tools: Path, root: Path, tmp_path: Path) -> None:
    write_nvidia(tools)
    box = describe_box(str(write_interpreter(tmp_path / "bin", {}, None)), root, 10)
    assert box["versions"]["cuda"] == "12.4"
    assert box["topology"] == [["X", "NV18"], ["NV18", "X"]]


def test_a_fit_box(tools: Path, root: Path, tmp_path: Path) -> None:
    write_amd(tools)
    (root / "proc/sys/kernel/numa_balancing").write_text("0\n")
    versions = {**VERSIONS, "flash-attn": "2.8.3", "bitsandbytes": "0.48.1"}
    python = write_interpreter(tmp_path / "bin", versions, ROCM_TORCH)
    checks = lines(python, root)
    assert not [line for line in checks if line.level == "bad"]
    assert found(checks, "cards") == {"ok": "8 x AMD Instinct MI300X, driver 6.12.12"}
    assert "ROCm 6.4.43482" in found(checks, "torch")["ok"]
    assert found(checks, "visible cards") == {"ok": "torch sees all 8"}
    assert set(found(checks, "flash_attn")) == set(found(checks, "bitsandbytes")) == {"ok"}
    assert found(checks, "NUMA") == {"ok": "2 nodes, balancing off"}
    assert found(checks, "partition") == {"ok": "SPX NPS1"}
    assert "container has 64 GB" in found(checks, "host memory")["warn"]


def test_pip_replaced_torch(tools: Path, root: Path, tmp_path: Path) -> None:
    write_amd(tools, power=550, partition="CPX", used=90_000)
    versions = {**VERSIONS, "torch": "2.9.0", "bitsandbytes": "0.48.1", "amd-aiter": "0.1.5"}
    python = write_interpreter(tmp_path / "bin", versions, CUDA_TORCH, ("bitsandbytes",), 14)
    checks = lines(python, root, {"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"})
    (torch,) = [line for line in checks if line.name == "torch"]
    assert torch.level == "bad"
    assert "built for CUDA 12.8: pip replaced the ROCm build (14 nvidia wheels" in torch.text
    assert torch.remedy is not None
    assert "whl/rocm6.4" in torch.remedy
    assert "undefined symbol" in found(checks, "bitsandbytes")["bad"]
    assert set(found(checks, "aiter")) == {"ok"}
    for name in ("visible cards", "memory", "partition", "power", "NUMA"):
        assert set(found(checks, name)) == {"warn"}, name


def test_cards_that_torch_does_not_see(tools: Path, root: Path, tmp_path: Path) -> None:
    write_amd(tools)
    versions, some = VERSIONS, {**ROCM_TORCH, "count": 3}
    python = write_interpreter(tmp_path / "bin", versions, some)
    assert "3 of 8 cards, and no" in found(lines(python, root), "visible cards")["warn"]
    hidden = lines(python, root, {"HIP_VISIBLE_DEVICES": "0,1,2"})
    assert "3 of 8: HIP" in found(hidden, "visible cards")["ok"]
    none = write_interpreter(tmp_path / "bin", versions, {**ROCM_TORCH, "available": False})
    assert "sees no card" in found(lines(none, root), "torch")["bad"]
    crashed = write_interpreter(tmp_path / "bin", versions, None)
    assert "does not import" in found(lines(crashed, root), "torch")["bad"]


def test_nothing_here(tools: Path, root: Path) -> None:
    checks = lines(tools / "no-such-python", root)
    assert [line.name for line in checks if line.level == "bad"] == ["cards", "torch"]
    assert all(line.remedy for line in checks if line.level != "ok")


def test_this_interpreter_is_asked() -> None:
    here = read_packages(sys.executable, 20)
    assert here.python == sys.version.split()[0]
    assert "numpy" in here.versions
    assert why_not_imported(sys.executable, "json") is None
    assert "ModuleNotFoundError" in str(why_not_imported(sys.executable, "no_such_module"))


def test_limits_of_the_container(root: Path) -> None:
    system = read_system(root)
    assert (system.memory_gb, system.contained) == (64.0, True)
    assert (system.rocm, system.numa_nodes, system.numa_balancing) == ("6.4.1", 2, True)
    (root / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert read_system(root).memory_gb == pytest.approx(2164.3, abs=0.1)
    assert read_system(root / "nowhere").memory_gb is None
    assert system.cores == len(os.sched_getaffinity(0))


def test_commands_print_and_answer_with_a_status(
    tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from agent.__main__ import main

    write_amd(tools, count=1)
    good: Json = {**ROCM_TORCH, "count": 1}
    python = str(write_interpreter(tmp_path / "bin", VERSIONS, good))
    assert main(["env", "--python", python]) == 0
    assert json.loads(capsys.readouterr().out)["hardware"]["id"] == "mi300x"
    assert main(["doctor", "--python", python]) == 0
    assert capsys.readouterr().out.startswith("ok    cards: 1 x AMD Instinct MI300X")
    broken = str(write_interpreter(tmp_path / "bin", VERSIONS, CUDA_TORCH))
    assert main(["doctor", "--python", broken, "--json"]) == 1
    levels = [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()]
    assert "bad" in levels
