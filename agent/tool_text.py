"""Reads tool calls that a model wrote as text; used only where the structured field is empty.

Servers without a matching parser hand a model's own call syntax through as text. The format is
told by its marker, never by the model's name; the formats stand in `agent.tool_text_formats`.
A call that is cut off is never returned, and neither is prose that quotes an example. Linear time,
no I/O; a name that no tool has is returned, so that the loop can answer it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent.tool_text_formats import FORMATS, Found, bare_call
from audit.records.base import Json

MAX_TEXT = 200_000
"""Characters that are looked at; an answer is some thousand."""
_THINK_OPEN = re.compile(r"<(?:think|thinking|reasoning)>")
_THINK_CLOSE = re.compile(r"</(?:think|thinking|reasoning)>")
_FENCE = re.compile(r"```|~~~")
_EXAMPLE = re.compile(
    r"(?:example|e\.g\.|such as|like (?:this|so)|looks? like|would (?:be|call|write))"
    r"[^.\n]{0,40}\Z",
    re.IGNORECASE,
)
"""Words right before a block that make it an illustration."""
_WRAPPERS = re.compile(
    r"<\s?[｜|]\s?DSML\s?[｜|]\s?(?:function_calls|tool_calls)>|<｜tool▁calls▁begin｜>"
    r"|<\|tool_calls_section_begin\|>"
)
_CLOSING_TAGS = re.compile(r"(?:\s|</[\w:]+>)*\Z")


@dataclass(frozen=True, slots=True)
class TextCall:
    """One call: its raw name and arguments, and the format in which it was written."""

    name: str
    arguments: dict[str, Json]
    format: str


class TextCalls(NamedTuple):
    """The text without the calls and without thinking; the calls in order."""

    text: str
    calls: tuple[TextCall, ...]


class _Parts(NamedTuple):
    visible: str
    reasoning: str


def read_tool_text(
    text: str, schemas: Mapping[str, Json], *, reasoning: str = "", ended: bool = True
) -> TextCalls:
    """The calls in an answer.

    Args:
        text: the visible answer, thinking in tags included.
        schemas: name -> JSON schema of the tools that exist.
        reasoning: what the server gave apart as thinking.
        ended: the answer ended by itself; thinking that was cut off holds no call.
    """
    parts = _split(text[:MAX_TEXT])
    thought = f"{reasoning[:MAX_TEXT]}\n{parts.reasoning}".strip()
    found = _calls(parts.visible, schemas)
    if found is not None:
        return TextCalls(_without(parts.visible, found), _typed(found))
    if ended and thought:
        inside = _calls(thought, schemas, bare=False)
        if inside is not None and _CLOSING_TAGS.match(thought, inside.end):
            return TextCalls(parts.visible.strip(), _typed(inside))
    return TextCalls(parts.visible.strip(), ())


def _split(text: str) -> _Parts:
    """Visible text and thinking; an unclosed opening hides the rest, an orphan close the front."""
    visible: list[str] = []
    thought: list[str] = []
    position = 0
    first = _THINK_CLOSE.search(text)
    opening = _THINK_OPEN.search(text)
    if first and (opening is None or first.start() < opening.start()):
        thought.append(text[: first.start()])
        position = first.end()
    while True:
        opening = _THINK_OPEN.search(text, position)
        if opening is None:
            visible.append(text[position:])
            break
        visible.append(text[position : opening.start()])
        closing = _THINK_CLOSE.search(text, opening.end())
        if closing is None:
            thought.append(text[opening.end() :])
            break
        thought.append(text[opening.end() : closing.start()])
        position = closing.end()
    return _Parts("".join(visible), "\n".join(thought))


def _calls(text: str, schemas: Mapping[str, Json], *, bare: bool = True) -> Found | None:
    """The calls of the first format whose marker is there; then of JSON without any marker."""
    for read in FORMATS:
        found = read(text, schemas)
        if found is not None:
            return found if found.calls and not _quoted(text, found.start) else None
    found = bare_call(text, schemas) if bare else None
    return found if found is not None and not _quoted(text, found.start) else None


def _quoted(text: str, start: int) -> bool:
    """Whether the block stands inside a code fence or quotes of prose: an example, no call."""
    if len(_FENCE.findall(text, 0, start)) % 2:
        return True
    before = _WRAPPERS.sub("", text[max(0, start - 160) : start]).rstrip()
    if _EXAMPLE.search(before):
        return True
    line = before.rpartition("\n")[2]
    return line.count("`") % 2 == 1 or line.rstrip().endswith(('"', "'", "“", "‘"))


def _without(text: str, found: Found) -> str:
    return _WRAPPERS.sub("", f"{text[: found.start]}{text[found.end :]}").strip()


def _typed(found: Found) -> tuple[TextCall, ...]:
    return tuple(TextCall(name, given, found.format) for name, given in found.calls)
