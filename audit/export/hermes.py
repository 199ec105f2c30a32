"""A trajectory as a Hermes conversation: calls and answers are text in tags, thinking in `<think>`.

The form that Hermes and Qwen models are trained on; `agent.tool_text` reads it back to the same
calls. Several answers in a row stand in one turn of the tool, one block each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from audit.export.messages import about
from audit.records.sampled import Sampled
from audit.records.trajectory import Role, Trajectory, TrajectoryMessage

FROM: dict[Role, str] = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}
_TOLD = """

You call a tool by writing one block for each call, after your thinking:
<tool_call>
{"name": "NAME", "arguments": {...}}
</tool_call>
The answers come in <tool_response> blocks. These are the tools:
<tools>
"""
_TAG = re.compile(r"<(?=/?(?:think|thinking|reasoning|tool_call|tool_response|tools)\b)")

_ESCAPED = r"\\u003c"


class HermesTurn(NamedTuple):
    """One turn: whose, and its text."""

    role: Role
    text: str
    written: tuple[str, ...] = ()
    """The parts that an assistant wrote, without our tags: its words, each call."""
    sampled: Sampled | None = None


def hermes_line(trajectory: Trajectory) -> str:
    """One line of JSON: `conversations` of {from, value}, the tools, and what came of it."""
    turns = [{"from": FROM[turn.role], "value": turn.text} for turn in hermes_turns(trajectory)]
    tools = json.dumps(list(trajectory.tools), ensure_ascii=False)
    found = {"conversations": turns, "tools": tools, **about(trajectory)}
    return json.dumps(found, ensure_ascii=False) + "\n"


def hermes_turns(trajectory: Trajectory) -> list[HermesTurn]:
    """The turns of the conversation; the answers to one message's calls are one turn."""
    found: list[HermesTurn] = []
    for role, messages in groupby(trajectory.messages, key=lambda message: message.role):
        if role == "tool":
            found.append(HermesTurn(role, "\n".join(_block("tool_response", m) for m in messages)))
        elif role == "system":
            told = f"{_TOLD}{''.join(_lines(trajectory))}</tools>"
            found += [HermesTurn(role, message.content + told) for message in messages]
        elif role == "assistant":
            found += [_said(message) for message in messages]
        else:
            found += [HermesTurn(role, message.content) for message in messages]
    return found


def _lines(trajectory: Trajectory) -> Iterator[str]:
    for tool in trajectory.tools:
        yield json.dumps(tool, ensure_ascii=False) + "\n"


def _said(message: TrajectoryMessage) -> HermesTurn:
    """Words before a call are thinking; words without one are the answer."""
    words = _TAG.sub("‹", message.content).strip()
    if not message.calls:
        return HermesTurn("assistant", words, (words,), message.sampled)
    calls = [
        json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        for call in message.calls
    ]
    # A tag inside a string is written as JSON may write it, so that no reader takes it for one.
    blocks = [f"<tool_call>\n{_TAG.sub(_ESCAPED, call)}\n</tool_call>" for call in calls]
    text = "\n".join([f"<think>\n{words}\n</think>", *blocks])
    return HermesTurn("assistant", text, (words, *calls), message.sampled)


def _block(tag: str, message: TrajectoryMessage) -> str:
    return f"<{tag}>\n{_TAG.sub('‹', message.content)}\n</{tag}>"
