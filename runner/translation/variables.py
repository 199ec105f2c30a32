"""Which environment variables of an upload the worker's process may see.

A file names variables freely, and some make a process load a library or write a file. Only names
that training stacks read are passed on, and only values that are plain words and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMES = re.compile(
    r"(PYTORCH|TORCH|TORCHINDUCTOR|CUDA|CUBLAS|CUDNN|HIP|HSA|ROCBLAS|HIPBLASLT|ROCM|MIOPEN|NCCL|RCCL|"
    r"OMP|MKL|KMP|NVTE|NVIDIA|AMD|GPU|FLASH_ATTENTION|TOKENIZERS|USE|DISABLE)_[A-Z0-9_]+"
)
_REFUSED = re.compile(
    r"LIB|PLUGIN|PATH|FILE|DIR|PRELOAD|VISIBLE_DEVICES|CONFIG_|TOOL|HOME|TRACE|DUMP|LOG|CACHE|SOCKET"
)
_PLAIN = re.compile(r"[\w.:,+=-]{0,120}")


def passed_on(variables: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that a process may see, and the names of those that it may not."""
    allowed = {name: value for name, value in variables.items() if _allowed(name, value)}
    return allowed, tuple(sorted(set(variables) - set(allowed)))


def _allowed(name: str, value: str) -> bool:
    known = name == "PYTORCH_CUDA_ALLOC_CONF" or (
        _NAMES.fullmatch(name) is not None and _REFUSED.search(name) is None
    )
    return known and _PLAIN.fullmatch(value) is not None and not value.endswith(".so")
