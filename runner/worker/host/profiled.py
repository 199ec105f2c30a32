"""Profiles one step of an arm, apart from the timed ones, and sorts its time by kind of work.

The parts are those of the estimator's breakdown and add up to the profiled step: what the profiler
does not attribute to an operator is launch time and Python. Profiling slows a step down, so the
parts say where time goes, not how much of it a timed step takes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from torch.profiler import ProfilerActivity, profile

from audit.records.profile import Part
from runner.worker.host.arm import ArmRun

KINDS = (
    ("optimizer", r"adam|foreach|sgd|lerp|addcdiv|addcmul|optimizer|clip_grad|multi_tensor"),
    ("communication", r"nccl|rccl|gloo|all_reduce|all_gather|reduce_scatter|broadcast"),
    ("attention", r"scaled_dot_product|flash|fmha|attention|_softmax(?!.*log)"),
    ("loss", r"log_softmax|nll_loss|cross_entropy"),
    ("dequantize", r"dequant|quantize|kgemm_4bit"),
    ("gemm", r"addmm|::mm|::bmm|matmul|linear|gemm|cutlass|cijk|sgemm|baddbmm"),
    ("data", r"dataloader|memcpy|::_to_copy|pin_memory|to_copy"),
)
"""Name of a part -> operators and kernels that belong to it, the first match wins; the rest is
elementwise work (norms, activations, rotary positions, residuals, casts)."""
_PATTERNS = tuple((name, re.compile(text, re.I)) for name, text in KINDS)


def kind_of(operator: str) -> str:
    """The part that an operator or kernel belongs to."""
    return next((name for name, pattern in _PATTERNS if pattern.search(operator)), "elementwise")


def profile_step(run: ArmRun, others: int) -> tuple[Part, ...]:
    """Seconds of one step by kind of work, largest first."""
    activities = [ProfilerActivity.CPU]
    if run.device.gpu:
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as recorded:
        row = run.step(-1, 0, others)
    parts: dict[str, float] = defaultdict(float)
    for event in recorded.key_averages():
        parts[kind_of(event.key)] += _own_seconds(event, run.device.gpu)
    parts["data"] += row.data_wait_s
    attributed = sum(parts.values())
    if attributed > row.seconds:  # overlapping streams or threads: shares of the step
        scale = row.seconds / attributed
        parts = defaultdict(float, {name: value * scale for name, value in parts.items()})
    parts["launch"] += max(0.0, row.seconds - sum(parts.values()))
    return tuple(
        Part(name=name, value=value)
        for name, value in sorted(parts.items(), key=lambda item: -item[1])
        if value > 0
    )


def _own_seconds(event: Any, gpu: bool) -> float:
    """Time of the event itself, children left out; microseconds in the profiler."""
    return float(event.self_device_time_total if gpu else event.self_cpu_time_total) / 1e6
