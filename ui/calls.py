"""What the backend did, call by call: tool, arguments, answer, time; and what a model used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from audit.records.base import Json
from audit.records.events import (
    Event,
    ThoughtData,
    ToolCallData,
    ToolResultData,
    UsageData,
    read_data,
)
from ui.figures import count, duration

MOST_TEXT = 6000
"""Characters of one answer that the page holds; the log holds all of it."""
DOES = {
    "parse_config": "Read the file",
    "profile_run": "Profile the run",
    "query_rocm_kb": "Ask the knowledge base",
    "propose_patch": "Write the patch",
    "benchmark": "Benchmark",
    "compare_runs": "Compare the runs",
    "research": "Research",
}
"""Tool -> plain words; another tool stands for itself."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, or one thought (`tool` empty, `text` what was thought)."""

    tool: str
    call_id: str = ""
    arguments: Json = None
    text: str = ""
    ok: bool | None = None
    """None while it runs."""
    seconds: float = 0.0
    inner: bool = False
    """Made by a sub-agent."""


@dataclass(frozen=True, slots=True)
class Used:
    """What the models of an audit used so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None
    models: tuple[str, ...] = ()


def with_call(calls: tuple[Call, ...], event: Event) -> tuple[Call, ...]:
    """The calls after one more event."""
    data, inner = read_data(event), event.parent_call_id is not None
    if isinstance(data, ThoughtData):
        return (*calls, Call("", text=data.text, inner=inner))
    if isinstance(data, ToolCallData):
        return (*calls, Call(data.tool, data.call_id, data.arguments, inner=inner))
    if isinstance(data, ToolResultData):
        return tuple(
            replace(one, text=data.text, ok=data.ok, seconds=data.seconds)
            if one.call_id == data.call_id and one.ok is None and one.tool
            else one
            for one in calls
        )
    return calls


def with_usage(used: Used, event: Event) -> Used:
    """The usage after one more event."""
    data = read_data(event)
    if not isinstance(data, UsageData):
        return used
    usd = used.usd if data.usd is None else (used.usd or 0.0) + data.usd
    models = dict.fromkeys((*used.models, data.model))
    return Used(
        used.input_tokens + data.input_tokens,
        used.output_tokens + data.output_tokens,
        usd,
        tuple(models),
    )


def _shown(text: str) -> str:
    cut = len(text) - MOST_TEXT
    return escape(text[:MOST_TEXT]) + (f"\n({cut:,} more characters in the log)" if cut > 0 else "")


def _item(call: Call, place: int) -> str:
    if not call.tool:
        return f'<li><p class="gg-thought">{_shown(call.text)}</p></li>'
    state = {True: "done", False: "refused", None: "running"}[call.ok]
    took = "" if call.ok is None else f", {duration(call.seconds)}"
    by = " (research)" if call.inner else ""
    reach = 'tabindex="0"'
    arguments = json.dumps(call.arguments or {}, ensure_ascii=False, indent=2)
    answer = f"<dt>Answer</dt><dd><pre {reach}>{_shown(call.text)}</pre></dd>" if call.text else ""
    return (
        f'<li><details class="gg-call" data-call="{escape(call.call_id)}" data-state="{state}">'
        f"<summary><span>{place}. {escape(DOES.get(call.tool, call.tool))}{by}</span>"
        f"<code>{escape(call.tool)}</code>"
        f'<span class="gg-right">{state}{took}</span></summary>'
        f"<dl><dt>Arguments</dt><dd><pre {reach}>{_shown(arguments)}</pre></dd>{answer}</dl>"
        "</details></li>"
    )


def used_text(used: Used) -> str:
    """`2 models, 12,400 tokens in, 900 out, $0.05`; empty where no model took part."""
    if not used.models:
        return ""
    money = "" if used.usd is None else f", ${used.usd:.2f}"
    return (
        f"{', '.join(used.models)}: {used.input_tokens:,} tokens in, "
        f"{used.output_tokens:,} out{money}"
    )


def calls_part(calls: Sequence[Call], used: Used) -> str:
    """The list, folded; empty where nothing was called yet."""
    if not calls:
        return ""
    items, place = "", 0
    for call in calls:
        place += bool(call.tool)
        items += _item(call, place)
    made = sum(bool(call.tool) for call in calls)
    spent = used_text(used)
    note = f' <span class="gg-muted">{escape(spent)}</span>' if spent else ""
    return (
        f'<details class="gg-calls" data-calls="{made}"><summary>{count(made, "tool call")}, with '
        f"arguments and answers</summary>{note}<ol>{items}</ol></details>"
    )
