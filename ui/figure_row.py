"""The four figures under a verdict: speed per GPU, step time, FLOP use or whole run, memory."""

from __future__ import annotations

from html import escape

from audit.records.base import Interval
from audit.records.metrics import Metrics
from audit.records.report import Report
from ui.figures import between, duration, ends, figure, marked, spread


def _pair(metric: str, before: Metrics | None, after: Metrics | None, unit: str) -> str:
    """`5,450 -> 15,400 tok/s`, or the only one of the two."""
    first: Interval | None = getattr(before, metric) if before else None
    last: Interval | None = getattr(after, metric) if after else None
    if first and last and before and after:
        old = figure(metric, first, before.provenance, tag="span")
        arrow = '<span aria-hidden="true"> → </span><span class="gg-sr"> to </span>'
        return f'<span class="gg-old">{old}{arrow}</span>' + figure(
            metric, last, after.provenance, unit
        )
    only, arm = (last, after) if last else (first, before)
    if only is None or arm is None:
        return ""
    return figure(metric, only, arm.provenance, unit)


def _shown(metric: str, report: Report) -> Interval | None:
    """The interval printed under the pair: the one of the last arm that has it."""
    for arm in (report.after, report.before):
        found: Interval | None = getattr(arm, metric) if arm else None
        if found:
            return found
    return None


def _figure(label: str, value: str, note: str) -> str:
    return f"<div><dt>{escape(label)}</dt><dd>{value}<small>{escape(note)}</small></dd></div>"


def _speed(report: Report) -> str:
    shown = _shown("tokens_per_s_per_gpu", report)
    if shown is None:
        return ""
    pair = _pair("tokens_per_s_per_gpu", report.before, report.after, " tok/s")
    return _figure("Speed per GPU", pair, between(shown))


def _step(report: Report) -> str:
    shown = _shown("step_s", report)
    if shown is None:
        return ""
    return _figure(
        "One optimizer step", _pair("step_s", report.before, report.after, " s"), between(shown)
    )


def _whole_run(report: Report) -> str:
    """Hours of the whole run, where the file states its number of steps; else the FLOP use."""
    steps = report.fields.get("max_steps")
    shown = _shown("step_s", report)
    if shown and steps and isinstance(steps.value, int) and steps.value > 0:
        arms = [arm for arm in (report.before, report.after) if arm and arm.step_s]
        times = [
            marked(
                "run_s",
                duration(arm.step_s.value * steps.value),
                arm.provenance,
                "b" if arm is arms[-1] else "span",
            )
            for arm in arms
            if arm.step_s
        ]
        old = f'<span class="gg-old">{times[0]} → </span>' if len(times) > 1 else ""
        note = f"{steps.value:,} steps, as the file says"
        return _figure("Your whole run", old + times[-1], note)
    shown = _shown("mfu", report)
    if shown is None:
        return ""
    pair = _pair("mfu", report.before, report.after, "")
    return _figure("Share of peak FLOPs (MFU)", pair, f"{between(shown)}, of its format’s peak")


def _memory(report: Report) -> str:
    shown = _shown("peak_memory_gb", report)
    if shown is None:
        return ""
    arm = report.after or report.before
    # a measured run is of a model scaled to the box: it says nothing of what fits
    capacity = None if arm and arm.provenance == "measured" else report.hardware.memory_gb
    room = f" of {capacity:.0f} GB" if capacity else " GB"
    pair = _pair("peak_memory_gb", report.before, report.after, room)
    note = between(shown, " GB")
    if capacity:
        note += ", fits" if shown.high <= capacity else ", may not fit"
    if capacity and shown.value > capacity:
        note = between(shown, " GB") + ", does not fit"
    kind = f" {arm.memory_kind}" if arm and arm.memory_kind else ""
    return _figure(f"Peak memory{kind}", pair, note)


def figure_row(report: Report) -> str:
    """The row of figures; empty where there is no estimate and no run."""
    cells = [_speed(report), _step(report), _whole_run(report), _memory(report)]
    shown = "".join(cells)
    return f'<dl class="gg-figures">{shown}</dl>' if shown else ""


def spread_text(interval: Interval, unit: str = "") -> str:
    """`3.0 s (2.6 to 3.5)`."""
    return f"{spread(interval)[0]}{unit}{ends(interval)}"
