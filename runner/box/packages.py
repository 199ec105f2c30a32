"""Asks an interpreter which packages it has and whether they import, in short processes of its own.

Nothing here imports torch: a broken build can hang or crash the process that imports it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from audit.records.base import Json
from runner.box.command import run_json, run_tool

PACKAGES = (
    "torch", "torchvision", "triton", "pytorch-triton-rocm", "transformers", "trl", "peft",
    "accelerate", "datasets", "deepspeed", "bitsandbytes", "flash-attn", "amd-aiter", "aiter",
    "liger-kernel", "axolotl", "llamafactory", "torchtune", "litgpt", "open-instruct", "verl",
    "unsloth", "xformers", "vllm", "safetensors", "tokenizers", "numpy",
)  # fmt: skip
IMPORT_LIMIT = 60.0
"""Seconds for one import: a cold torch on a network disk takes half a minute."""
_VERSIONS = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
others = [d.metadata["Name"] or "" for d in m.distributions()]
print(json.dumps({"python": sys.version.split()[0], "found": found,
    "cuda_wheels": sum(n.startswith("nvidia-") and "-cu" in n for n in others),
    "torches": sum(n.lower() == "torch" for n in others)}))
"""
_TORCH = """
import json, torch
up = torch.cuda.is_available()
print(json.dumps({"version": torch.__version__, "hip": torch.version.hip,
    "cuda": torch.version.cuda, "available": up,
    "count": torch.cuda.device_count() if up else 0,
    "names": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if up else []
}))
"""
_IMPORT = """
import importlib, json, sys
why = None
try:
    module = importlib.import_module(sys.argv[1])
    if sys.argv[1] == "bitsandbytes":
        from bitsandbytes.cextension import lib
        if "Mock" in type(lib).__name__:
            why = "its native library does not load"
except BaseException as error:
    why = f"{type(error).__name__}: {error}"
print(json.dumps({"why": why}))
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """The packages of one interpreter."""

    python: str | None
    """None: the interpreter does not answer."""
    versions: dict[str, str]
    cuda_wheels: int = 0
    """Installed nvidia-*-cu* wheels: the CUDA build of torch brings them."""
    torches: int = 0
    """How many distributions are called torch."""


@dataclass(frozen=True, slots=True)
class Torch:
    """What torch says of itself."""

    version: str
    hip: str | None
    cuda: str | None
    available: bool
    count: int
    names: tuple[str, ...]


def read_packages(interpreter: str, limit: float) -> Installed:
    """Versions of the packages that matter for training."""
    found = run_json([interpreter, "-c", _VERSIONS, *PACKAGES], limit)
    if not isinstance(found, dict):
        return Installed(None, {})
    return Installed(
        str(found["python"]), dict(found["found"]), int(found["cuda_wheels"]), int(found["torches"])
    )


def read_torch(interpreter: str, limit: float = IMPORT_LIMIT) -> Torch | None:
    """What torch reports; None where it does not import within `limit` seconds."""
    found = last_json(run_tool([interpreter, "-c", _TORCH], limit))
    if not isinstance(found, dict):
        return None
    return Torch(
        version=str(found["version"]),
        hip=found["hip"],
        cuda=found["cuda"],
        available=bool(found["available"]),
        count=int(found["count"]),
        names=tuple(map(str, found["names"])),
    )


def why_not_imported(interpreter: str, module: str, limit: float = IMPORT_LIMIT) -> str | None:
    """Why a module does not import; None where it does."""
    found = last_json(run_tool([interpreter, "-c", _IMPORT, module], limit))
    if not isinstance(found, dict):
        return f"its import crashed or took over {limit:.0f} s"
    why: str | None = found["why"]
    return why.splitlines()[0][:200] if why else None


def last_json(text: str | None) -> Json:
    """The JSON of the last line: libraries print banners before it."""
    try:
        return json.loads((text or "").strip().rsplit("\n", 1)[-1])
    except ValueError:
        return None
