"""A trajectory as chat messages: one JSON object per audit, a line each, as datasets load it."""

from __future__ import annotations

import json

from audit.records.base import Json
from audit.records.trajectory import Trajectory, TrajectoryMessage


def messages_line(trajectory: Trajectory) -> str:
    """One line of JSON: `messages` and `tools` as chat templates take them, and what came of it."""
    found = {
        "messages": chat_messages(trajectory),
        "tools": list(trajectory.tools),
        **about(trajectory),
    }
    return json.dumps(found, ensure_ascii=False) + "\n"


def about(trajectory: Trajectory) -> dict[str, Json]:
    """What is told beside every form of a conversation."""
    return {
        "id": trajectory.audit_id,
        "upload": trajectory.upload,
        "backend": trajectory.backend,
        "outcome": trajectory.outcome,
        "ended": trajectory.ended,
        "reward": trajectory.reward,
        "reward_reason": trajectory.reward_reason,
    }


def chat_messages(trajectory: Trajectory) -> list[dict[str, Json]]:
    """The messages with tool calls in their own field.

    Arguments are objects, as `apply_chat_template` of transformers wants them.
    """
    return [_message(message) for message in trajectory.messages]


def _message(message: TrajectoryMessage) -> dict[str, Json]:
    found: dict[str, Json] = {"role": message.role, "content": message.content}
    if message.calls:
        found["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.calls
        ]
    if message.role == "tool":
        found |= {"tool_call_id": message.call_id, "name": message.name}
    return found
