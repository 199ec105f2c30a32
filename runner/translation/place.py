"""What the box under a run can do, as far as a translation must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """One device of the box. Rates are TFLOP/s as the probe measured them."""

    kind: Literal["cpu", "cuda", "rocm"]
    memory_gb: float
    """That an arm may use: of the card, or of the machine."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """dtype -> TFLOP/s of matrix products."""
    packages: Mapping[str, str] = field(default_factory=dict)
    compiler: bool = False
    """Whether a C++ compiler is there: torch.compile needs one on a CPU."""

    @property
    def gpu(self) -> bool:
        """Whether it is a card."""
        return self.kind != "cpu"

    def why_not_attention(self, name: str) -> str | None:
        """Why an attention implementation cannot run here; None where it can."""
        if name in ("eager", "sdpa"):
            return None
        if not self.gpu:
            return f"{name} needs a GPU"
        if name == "flash_attention_2":
            return None if "flash-attn" in self.packages else f"{name} needs the flash-attn package"
        return None if name == "flex_attention" else f"the worker does not run {name}"

    def why_not_optimizer(self, name: str) -> str | None:
        """Why an optimizer cannot run here; None where it can."""
        if name in ("adamw_torch", "adamw_torch_fused", "adamw_torch_foreach", "sgd", "adafactor"):
            return None
        if name in ("adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit",
                    "lion_8bit", "lion_32bit"):  # fmt: skip
            if self.gpu and "bitsandbytes" in self.packages:
                return None
            return f"{name} needs a GPU and the bitsandbytes package"
        return f"the worker has no optimizer called {name}"

    def why_not_precision(self, name: str) -> str | None:
        """Why a compute dtype cannot run here; None where it can."""
        if name in ("fp32", "bf16"):
            return None
        if name in ("fp16", "tf32"):
            return None if self.gpu else f"{name} needs a GPU"
        return f"the worker does not run {name}"

    def why_not_compile(self) -> str | None:
        """Why torch.compile cannot run here; None where it can."""
        return None if self.gpu or self.compiler else "torch.compile needs a C++ compiler on a CPU"

    def why_not_liger(self) -> str | None:
        """Why Liger kernels cannot run here; None where they can."""
        if self.gpu and "liger-kernel" in self.packages:
            return None
        return "Liger kernels need a GPU and the liger-kernel package"
