"""Answers published points in their own metric: a projection with an 80% interval, or why not.

A point is a row of a table without its value: `{"id", "hardware", "model", "metric", ...}`. Nothing
is looked up: the row is parsed (`published`) and projected like any other job.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from runner.estimator.estimate import Projection, project
from runner.estimator.flops import model_flops
from runner.estimator.job import Job
from runner.estimator.published import read_row

Row = dict[str, Any]
GIB = 1.073741824
COUNTED = ("n_gpus", "seq_len", "micro_batch", "grad_accum", "global_batch")
WORDED = (
    "model", "hardware", "method", "metric", "framework", "precision", "attention", "optimizer",
    "parallelism", "other", "notes", "source_title", "source_url_or_repo_path",
)  # fmt: skip
MOST = 1e9
"""Beyond it a count is a slip of the keyboard."""
SPEED = ("tokens_per_s_per_gpu", "step_s", "samples_per_s", "tflops_per_gpu")


def answer_points(points: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """One answer per point: `{"id", "value", "low", "high"}` or `{"id", "skipped": reason}`.

    Speeds in the point's metric; memory (`peak_mem_gb`) in 1e9 bytes per device.
    """
    for point in points:
        yield {"id": point.get("id"), **_answer(point)}


def _answer(point: Row) -> dict[str, Any]:
    wrong = _impossible(point)
    if wrong:
        return {"skipped": wrong}
    metric = point.get("metric")
    if metric not in (*SPEED, "peak_mem_gb"):
        return {"skipped": f"metric {metric} is not projected"}
    reading = read_row(point)
    if reading.job is None:
        return {"skipped": reading.reason}
    found = project(reading.job, variable=reading.variable)
    if metric == "peak_mem_gb":
        return _interval(_fitted_peak(found), found.spread.memory)
    return _interval(_speed(point, found, str(metric)), found.spread.speed)


def _impossible(point: Row) -> str:
    """Why no run can be such a row, by the name of its field; empty where one can."""
    for name in COUNTED:
        value = point.get(name)
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value <= MOST or (name == "n_gpus" and value != int(value)):
            return f"{name} is {str(value)[:40]}: it must be a number above 0"
    for name in WORDED:
        value = point.get(name)
        if value is not None and not isinstance(value, str):
            return f"{name} is {str(value)[:40]}: it must be text"
    return ""


def _interval(value: float, half: float) -> dict[str, Any]:
    return {"value": value, "low": value / math.exp(half), "high": value * math.exp(half)}


def _fitted_peak(found: Projection) -> float:
    """The peak; a published run did fit, so it is at most what the card holds (its GB are GiB)."""
    held = found.job.hardware.memory_gb
    peak = float(found.peak.total)
    return min(peak, held * GIB) if held else peak


def _counts_real(point: Row) -> bool:
    """Whether the source counts real tokens only."""
    return "real (non-pad" in (point.get("notes") or "")


def _per_micro_batch(point: Row) -> bool:
    return "iteration is one micro-batch" in (point.get("notes") or "")


def _speed(point: Row, found: Projection, metric: str) -> float:
    """The projection in the point's metric."""
    job, step = found.job, float(found.seconds.total)
    if metric == "step_s":
        return step / job.accumulation if _per_micro_batch(point) else step
    if metric == "samples_per_s":
        return job.micro_batch * job.accumulation * job.layout.replicas / step
    tokens = job.step_tokens / step / job.layout.gpus
    if metric == "tflops_per_gpu":
        return tokens * model_flops(job.model, job.covered, trained=job.trained) / 1e12
    return tokens * (job.real if _counts_real(point) else 1.0)


def step_from_speed(point: Row, job: Job, metric: str, value: float) -> float:
    """Seconds of one optimizer step that a published speed means: the inverse of an answer."""
    if metric == "step_s":
        return value * job.accumulation if _per_micro_batch(point) else value
    if metric == "samples_per_s":
        return job.micro_batch * job.accumulation * job.layout.replicas / value
    real = job.real if _counts_real(point) else 1.0
    return job.step_tokens * real / value / job.layout.gpus
