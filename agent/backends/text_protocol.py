"""The conversation as OpenAI-compatible servers want it: with tools, or with tools told in words.

In the text protocol the tools stand in the system prompt, the model writes `<tool_call>` blocks and
reads `<tool_response>` blocks: the form that Hermes and Qwen models were trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agent.backends import Message, ToolCall, ToolFace
from agent.backends.schemas import strict_schema
from agent.prompt import opening, shown
from audit.records.base import Json

_TOLD = """

You call a tool by writing one block and nothing after it:
<tool_call>
{"name": "NAME", "arguments": {...}}
</tool_call>
The answer comes in a <tool_response> block. These are the tools, one per line:
"""


def native_history(system: str, messages: Sequence[Message]) -> list[dict[str, Json]]:
    """Messages with tool calls in their own field."""
    history: list[dict[str, Json]] = [{"role": "system", "content": system}]
    for message in messages:
        if message.role == "assistant":
            entry: dict[str, Json] = {"role": "assistant", "content": _said(message)}
            if message.tool_calls:
                entry["tool_calls"] = [_call(call) for call in message.tool_calls]
            history.append(entry)
        elif message.role == "tool":
            history += [
                {"role": "tool", "tool_call_id": result.call_id, "content": shown(result)}
                for result in message.results
            ]
            if message.text:
                history.append({"role": "user", "content": message.text})
        else:
            history.append({"role": "user", "content": opening(message)})
    return history


def system_with_tools(system: str, tools: Sequence[ToolFace]) -> str:
    """The system prompt of the text protocol."""
    lines = [
        json.dumps(
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": strict_schema(tool),
            }
        )
        for tool in tools
    ]
    return f"{system}{_TOLD}{chr(10).join(lines)}"


def text_history(system: str, messages: Sequence[Message]) -> list[dict[str, Json]]:
    """Messages in words alone; user and assistant take turns."""
    history: list[dict[str, Json]] = [{"role": "system", "content": system}]
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        if message.role == "assistant":
            blocks = [
                _block("tool_call", json.dumps({"name": call.tool, "arguments": call.arguments}))
                for call in message.tool_calls
            ]
        else:
            blocks = [_block("tool_response", shown(result)) for result in message.results]
        content = "\n".join([*blocks, message.text] if role == "user" else [message.text, *blocks])
        content = content.strip() or "(no answer)"
        if history[-1]["role"] == role:
            history[-1]["content"] += f"\n{content}"
        else:
            history.append({"role": role, "content": content})
    return history


def _said(message: Message) -> str:
    """Some servers refuse an answer with neither words nor calls."""
    return message.text or ("" if message.tool_calls else "(no answer)")


def _call(call: ToolCall) -> dict[str, Json]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.tool, "arguments": json.dumps(call.arguments)},
    }


def _block(tag: str, text: str) -> str:
    return f"<{tag}>\n{text}\n</{tag}>"
