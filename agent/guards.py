"""Keeps a model from going in circles: what it did last decides on a hint, or on handing over.

Pure bookkeeping over turns, calls and results. The whole batch of a turn is checked before any of
it runs; only the tail of the history counts, so an early stumble is forgiven.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.backends import Message, StopReason, ToolCall, ToolResult, Turn

MAX_NUDGES = 2
MAX_CUT_OFF, MAX_PAUSES = 3, 5
HINT_AFTER, STOP_AFTER = 3, 5
"""The same call with the same result so many times in a row; a cycle of two counts its rounds."""
HINT_FAULTY, STOP_FAULTY = 2, 3
"""Calls of one tool in a row whose arguments cannot be read."""
MAX_REFUSED = 6
"""Turns in a row in which every call was refused."""
SHORT = 400
"""Characters that stay of an old result when the conversation is too long for the model."""
CUT_OFF = "Your answer was cut off"
"""How a hint after such an answer begins; the next answer may then be longer."""
_CUT = (
    f"{CUT_OFF} at the token limit and nothing of it was run. Say less and make one call.",
    f"{CUT_OFF} again. Write no text at all: only the next call, with its ids.",
)
_GO_ON = f"{CUT_OFF} at the token limit. Go on with one short sentence and the next call."
_SAME = "You made this call before and its result is the same. Go on with the next stage: {step}."
_FAULTY = "Write the arguments of {tool} as one JSON object of exactly these fields: {fields}."


@dataclass(frozen=True, slots=True)
class Advice:
    """What the loop does next: goes on, with a hint or without, or lets the rules finish."""

    hint: str = ""
    stop: str = ""
    """Why the model's part ends; "" while it goes on."""


@dataclass(slots=True)
class Guards:
    """What is remembered of an audit's turns."""

    nudges: int = MAX_NUDGES
    _cut: int = 0
    _pauses: int = 0
    _refused: int = 0
    _shrunk: bool = False
    _tail: list[str] = field(default_factory=list)
    """One text per call and result, newest last."""
    _faulty: list[str] = field(default_factory=list)
    """Tools of the last calls whose arguments could not be read; [] after one that could."""
    _hinted: set[str] = field(default_factory=set)

    def on_stop(self, turn: Turn, missing: Sequence[str]) -> Advice | None:
        """What a turn without runnable calls means; None where its calls may run.

        Args:
            turn: the model's turn.
            missing: the stages that are not done, in order.
        """
        reason: StopReason = turn.stop_reason
        if reason != "length":
            self._cut = 0
        if reason == "length":
            return self._cut_off(bool(turn.tool_calls))
        if reason == "pause":
            self._pauses += 1
            return Advice(stop="it paused too often") if self._pauses > MAX_PAUSES else Advice()
        if reason == "refusal":
            return Advice(stop=f"it refused to go on{_named(turn.stopped)}")
        if reason == "context":
            return self.on_long()
        if reason == "unknown":
            return Advice(stop=f"it stopped for a reason that is not known{_named(turn.stopped)}")
        if turn.tool_calls:
            return None
        if self.nudges <= 0 or not missing:
            return Advice(stop="it ended its work")
        self.nudges -= 1
        return Advice(hint=f"The audit is not finished. Next stage: {missing[0]}. Make that call.")

    def on_long(self) -> Advice:
        """The conversation is too long: once it is shortened, then it is over."""
        if self._shrunk:
            return Advice(stop="the conversation is too long for the model")
        self._shrunk = True
        return Advice()

    def on_results(
        self, calls: Sequence[ToolCall], results: Mapping[str, ToolResult], step: str
    ) -> Advice:
        """What the calls of a turn and their results mean; `step` is the next stage."""
        fields: dict[str, str] = {}
        for call in calls:
            result = results[call.id]
            self._tail.append(json.dumps([call.tool, call.arguments, result.text], sort_keys=True))
            if call.fault:
                self._faulty.append(call.tool)
                fields[call.tool] = result.text
            else:
                self._faulty = []
        del self._tail[: -2 * STOP_AFTER]
        refused = all(not results[call.id].ok for call in calls)
        self._refused = self._refused + 1 if refused else 0
        if self._refused >= MAX_REFUSED:
            return Advice(stop="every call of its last turns was refused")
        return self._malformed() if self._faulty else self._repeated(step)

    def _cut_off(self, called: bool) -> Advice:
        self._cut += 1
        if self._cut >= MAX_CUT_OFF or (not called and self._cut > 1):
            return Advice(stop="its answers were cut off")
        return Advice(hint=_CUT[self._cut - 1] if called else _GO_ON)

    def _malformed(self) -> Advice:
        tool = self._faulty[-1]
        count = 0
        for other in reversed(self._faulty):
            if other != tool:
                break
            count += 1
        if count >= STOP_FAULTY:
            return Advice(stop=f"it could not write the arguments of {tool}")
        if count >= HINT_FAULTY:
            return Advice(hint=_FAULTY.format(tool=tool, fields=fields_of(tool)))
        return Advice()

    def _repeated(self, step: str) -> Advice:
        rounds = max(_rounds(self._tail, 1), _rounds(self._tail, 2))
        if rounds >= STOP_AFTER:
            return Advice(stop="it repeated the same calls")
        if rounds >= HINT_AFTER and self._tail[-1] not in self._hinted:
            self._hinted.update(self._tail[-2:])
            return Advice(hint=_SAME.format(step=step or "end your work"))
        return Advice()


def fields_of(tool: str) -> str:
    """The argument fields of a tool, for a hint."""
    from agent.tools import TOOLS

    found = TOOLS.get(tool)
    return ", ".join(found.arguments.model_fields) if found else "none"


def shortened(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with all but the last results cut to `SHORT` characters."""
    last = max((n for n, message in enumerate(messages) if message.results), default=-1)
    return [
        replace(message, results=tuple(map(_short, message.results))) if n < last else message
        for n, message in enumerate(messages)
    ]


def _short(result: ToolResult) -> ToolResult:
    if len(result.text) <= SHORT:
        return result
    return replace(result, text=f"{result.text[:SHORT]}\n(cut; call the tool again to see it)")


def _rounds(tail: Sequence[str], period: int) -> int:
    """How often the last `period` entries stand in a row at the end; 0 for a cycle of equals."""
    last = list(tail[-period:])
    if len(last) < period or (period > 1 and len(set(last)) == 1):
        return 0
    count = 0
    end = len(tail)
    while end >= period and list(tail[end - period : end]) == last:
        count += 1
        end -= period
    return count


def _named(detail: str) -> str:
    return f" ({detail})" if detail else ""
