"""A backend that plays given turns: for demonstrations, and for tests that stop it anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from agent.backends import Message, ToolFace, Turn


class ScriptedBackend:
    """Plays `turns` in order, then ends its turn. Keeps what it was sent in `seen`."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = list(turns)
        self.seen: list[tuple[Message, ...]] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The next turn of the script."""
        self.seen.append(tuple(messages))
        return self._turns.pop(0) if self._turns else Turn(text="The script has ended.")
