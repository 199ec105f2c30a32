"""The six stages as an ordered list: state, what each found, how long it took."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from audit.records.events import StageName, StageState
from ui.figures import duration

LABELS: dict[StageName, str] = {
    "parse": "Read the file",
    "profile": "Profile",
    "query": "Query the knowledge base",
    "patch": "Patch",
    "benchmark": "Benchmark twice",
    "compare": "Compare",
}
DOING: dict[StageName, str] = {
    "parse": "Reading the file",
    "profile": "Profiling",
    "query": "Asking the knowledge base",
    "patch": "Writing the patch",
    "benchmark": "Benchmarking, baseline and patched",
    "compare": "Comparing",
}
_SIGNS: dict[StageState, str] = {
    "done": "✓",
    "skipped": "–",
    "failed": "✕",
    "cancelled": "–",
}


class StageLine(NamedTuple):
    """A stage as the page shows it."""

    name: StageName
    state: StageState = "waiting"
    text: str = ""
    seconds: float | None = None
    since: str | None = None
    """When it began to run, ISO 8601."""
    steps: tuple[str, ...] = ()
    """What a long stage reports on its way."""


def _time(line: StageLine) -> str:
    if line.state == "running" and line.since:
        return f'<time data-since="{escape(line.since)}">running</time>'
    if line.state == "done" and line.seconds is not None:
        return f"<time>{duration(line.seconds)}</time>"
    return f"<span>{'' if line.state == 'done' else line.state}</span>"


def stage_item(line: StageLine, place: int) -> str:
    """One stage; the running one is the current step."""
    current = ' aria-current="step"' if line.state == "running" else ""
    sign = _SIGNS.get(line.state, str(place))
    spoken = "" if line.state != "done" else '<span class="gg-sr">, done</span>'
    text = f"<p>{escape(line.text)}</p>" if line.text else ""
    shown = line.steps[-4:] if line.state == "running" else ()
    steps = "".join(f"<li>{escape(step)}</li>" for step in shown)
    if steps:
        text += f'<ul class="gg-steps">{steps}</ul>'
    return (
        f'<li class="gg-stage" data-stage="{line.name}" data-state="{line.state}"{current}>'
        f'<span class="gg-dot" aria-hidden="true">{sign}</span>'
        f"<div><h3>{LABELS[line.name]}{spoken}</h3>{text}</div>"
        f'<span class="gg-took">{_time(line)}</span></li>'
    )


def timeline(lines: tuple[StageLine, ...]) -> str:
    """The ordered list of all stages."""
    items = "".join(stage_item(line, place) for place, line in enumerate(lines, start=1))
    return f'<ol class="gg-timeline" aria-label="Stages of the audit">{items}</ol>'
