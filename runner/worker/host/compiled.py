"""torch.compile for an arm, with a count of what was compiled and how often it ran.

Torch falls back to uncompiled code without a word where it gives up (too many shapes, code that it
cannot trace). The counts are of one arm: two arms of one process never share a compiled graph.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn


class Compiler:
    """The inductor backend of one arm."""

    def __init__(self) -> None:
        self.graphs = 0
        """Graphs compiled, one more for every kind of shape."""
        self.calls = 0
        """Calls of their forward passes."""

    def __call__(self, graph: Any, inputs: Any) -> Any:
        """Compile one graph, as torch.compile's own default does."""
        from torch._inductor.compile_fx import compile_fx

        self.graphs += 1
        run: Any = compile_fx(graph, inputs)

        def counted(*args: Any) -> Any:
            self.calls += 1
            return run(*args)

        if getattr(run, "_boxed_call", False):  # then it takes one list and empties it
            counted._boxed_call = True  # type: ignore[attr-defined]
        return counted


def compiled(model: nn.Module) -> tuple[nn.Module, Compiler]:
    """The model as torch.compile wraps it; the work is done in its first steps."""
    compiler = Compiler()
    wrapped: Any = torch.compile(model, backend=compiler)
    return wrapped, compiler


def forget_compiled() -> None:
    """Let go of all compiled code: torch keeps a limited number of versions per function."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
