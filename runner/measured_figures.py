"""The figures of a measured arm: the one place where `measured` is written on a number.

Every figure is of the timed steps alone. Intervals are 95%: Student's t over the rounds, in log.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from audit.records.base import Interval
from audit.records.measured import ArmFailure, MeasuredArm, MeasuredRun, StepRow
from audit.records.metrics import MemoryKind, Metrics
from audit.records.profile import Part
from audit.records.spec import Spec
from kb.catalog.hardware import Hardware
from runner.statistics import half_width

NAME = "local"


def measured_metrics(
    run: MeasuredRun, spec: Spec, hardware: Hardware, runner: str = NAME
) -> tuple[Metrics, ...]:
    """One Metrics per arm, in the order of the run; `runner` is the name of who ran it."""
    return tuple(_arm(arm, run, spec, hardware, runner) for arm in run.arms)


def failure_text(failure: ArmFailure) -> str:
    """`out of memory at step 3 (OutOfMemoryError: ...)`."""
    step = "" if failure.step is None else f" at step {failure.step}"
    what = {
        "out_of_memory": f"out of memory{step}",
        "exception": f"{failure.exception or 'an error'}{step}",
        "killed": f"killed{step}",
        "time_limit": f"ended at its time limit{step}",
        "not_effective": "edit not effective",
        "nothing_measured": "nothing of the patch can be measured here",
    }[failure.kind]
    message = failure.message.removeprefix("edit not effective: ")
    return f"{what}: {message}" if message else what


def _arm(
    arm: MeasuredArm, run: MeasuredRun, spec: Spec, hardware: Hardware, runner: str
) -> Metrics:
    workload = next(one.workload for one in run.translation.arms if one.name == arm.arm)
    blank = Metrics(
        arm=arm.arm,
        workload=workload,
        runner=runner,
        provenance="measured",
        hardware=spec.hardware,
        gpus=spec.gpus,
        nodes=spec.nodes,
        steps=spec.steps,
        samples=len(arm.timed),
    )
    if arm.failure is not None:
        return blank.model_copy(update={"failure": failure_text(arm.failure)})
    rows = arm.timed
    if not rows:
        return blank.model_copy(update={"failure": "no step was timed: another arm failed first"})
    return blank.model_copy(update=_figures(arm, rows, run, spec, hardware))


def _figures(
    arm: MeasuredArm, rows: Sequence[StepRow], run: MeasuredRun, spec: Spec, hardware: Hardware
) -> dict[str, Any]:
    seconds = sum(row.seconds for row in rows)
    tokens = sum(row.real_tokens for row in rows)
    spread = half_width(rows, (arm.arm,), "wall")
    spread = spread if math.isfinite(spread) else 0.0
    cards = spec.gpus * spec.nodes
    step = seconds / len(rows)
    efficiency = tokens / sum(row.padded_tokens for row in rows)
    figures: dict[str, Any] = {
        "tokens_per_s": _around(tokens / seconds, spread),
        "tokens_per_s_per_gpu": _around(tokens / seconds / cards, spread),
        "samples_per_s": _around(sum(row.samples for row in rows) / seconds, spread),
        "step_s": _around(step, _step_spread(rows)),
        "padding_efficiency": _around(efficiency, 0.0),
        "breakdown": _scaled(arm.breakdown, step),
        "mfu": _mfu(arm, tokens / seconds / cards, spread, run, hardware),
        "gpu_busy": _busy(run),
    }
    kind, peak = _peak(arm, run)
    if peak is not None:
        figures |= {"peak_memory_gb": _around(peak, 0.0), "memory_kind": kind}
    return figures


def _around(value: float, spread: float) -> Interval:
    return Interval(low=value * math.exp(-spread), value=value, high=value * math.exp(spread))


def _step_spread(rows: Sequence[StepRow]) -> float:
    logs = [math.log(row.seconds) for row in rows]
    return 2.0 * stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else 0.0


def _peak(arm: MeasuredArm, run: MeasuredRun) -> tuple[MemoryKind | None, float | None]:
    """Live tensors where those of every arm were counted; the process where it held one arm alone.

    Compiled code does not show its tensors on a CPU, and two arms share one process.
    """
    ran = [one for one in run.arms if one.timed]
    if all(one.peak.allocated is not None for one in ran):
        return "allocated", arm.peak.allocated
    alone = len(run.arms) == 1 and arm.peak.resident is not None
    return ("resident", arm.peak.resident) if alone else (None, None)


def _scaled(parts: tuple[Part, ...], step: float) -> tuple[Part, ...]:
    """The profiled step's shares of a timed step: profiling slows a step down."""
    whole = sum(part.value for part in parts)
    if not whole:
        return ()
    return tuple(part.model_copy(update={"value": part.value / whole * step}) for part in parts)


def _mfu(
    arm: MeasuredArm, speed: float, spread: float, run: MeasuredRun, hardware: Hardware
) -> Interval | None:
    """Of the maker's peak; None where nobody states one (a CPU)."""
    recipe = next(one.recipe for one in run.translation.arms if one.name == arm.arm)
    peak = hardware.peak_tflops.get(recipe.precision) if hardware.vendor != "cpu" else None
    if not peak or not arm.flops_per_token:
        return None
    return _around(speed * arm.flops_per_token / (peak * 1e12), spread)


def _busy(run: MeasuredRun) -> Interval | None:
    busy = [one.busy for one in run.manifest.tool if one.busy is not None]
    return _around(fmean(busy), 0.0) if busy else None
