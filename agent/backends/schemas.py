"""The tools as model servers want them: strict JSON schemas, every field required, none beside.

Where a field is optional it may be null. vLLM and Claude hold a model to such a schema while it
writes (vLLM docs/features/tool_calling.md, `strict`); everybody else is held to it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.backends import ToolFace
from audit.records.base import Json

_DROPPED = {"title", "default", "description"}


def strict_schema(tool: ToolFace) -> dict[str, Json]:
    """The JSON schema of a tool's arguments, in the form that `strict` asks for."""
    schema: dict[str, Json] = tool.schema()
    properties = {name: _plain(found) for name, found in schema.get("properties", {}).items()}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def claude_tools(tools: Sequence[ToolFace]) -> list[dict[str, Json]]:
    """The tools of a Messages request."""
    return [
        {
            "name": tool.name,
            "description": tool.description,
            "input_schema": strict_schema(tool),
            "strict": True,
        }
        for tool in tools
    ]


def chat_tools(tools: Sequence[ToolFace]) -> list[dict[str, Json]]:
    """The tools of an OpenAI-compatible request."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": strict_schema(tool),
                "strict": True,
            },
        }
        for tool in tools
    ]


def _plain(schema: Json) -> Json:
    """Without titles and defaults: they cost tokens and say nothing."""
    if isinstance(schema, dict):
        return {name: _plain(found) for name, found in schema.items() if name not in _DROPPED}
    return [_plain(found) for found in schema] if isinstance(schema, list) else schema
