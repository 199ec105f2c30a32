"""Changes of a shell script: a value's characters replaced, an option or a variable come or gone.

Quotes, comments and continued lines stay as they are. Positions come from `shell_text`; what an
option means is not known here.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from workload.dialects import CannotEdit, Change
from workload.source import SourceText

_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,=~^-]+")
_CONTINUED = re.compile(r"[ \t]*\\\r?\n")
_CONTINUED_BEFORE = re.compile(r"[ \t]*\\\r?\n$")
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|$)")


class Span(NamedTuple):
    """The characters [start, end) of the script."""

    start: int
    end: int


def shell_word(text: str) -> str:
    """A text as one word, quoted where it must be."""
    return text if _SAFE.fullmatch(text) else shlex.quote(text)


def replace_text(source: SourceText, span: Span, new: str, *, alone: bool, key: str) -> Change:
    """Replaces the characters of a value, inside the quotes that it stands in.

    Args:
        source: the script.
        span: the value's characters, without quotes around them.
        new: the new value.
        alone: the value is a whole word of its own, not a part of a longer text.
        key: the entry that it sets.

    Raises:
        CannotEdit: the value would need other quotes there.
    """
    before, after = source.text[span.start - 1 : span.start], source.text[span.end : span.end + 1]
    if new and _SAFE.fullmatch(new):
        return Change(span.start, span.end, new, key)
    if alone and before == after == "'" and "'" not in new:
        return Change(span.start, span.end, new, key)
    if alone and before == after == '"' and not re.search(r'["$`\\!]', new):
        return Change(span.start, span.end, new, key)
    if alone and before not in ("'", '"') and after not in ("'", '"'):
        return Change(span.start, span.end, shlex.quote(new), key)
    reason = "the value would need other quotes than those around it"
    line = source.line_of(span.start)
    raise CannotEdit(reason, f"Write {shell_word(new)} there by hand", line)


def insert_option(source: SourceText, last: Span | None, end: int, text: str, key: str) -> Change:
    """Adds an option to a command.

    Args:
        source: the script.
        last: the command's last option with its values, where it has one.
        end: offset behind the command's last word.
        text: the option as it is to stand.
        key: the entry that it sets.
    """
    if last is not None:
        start = _line_start(source, last.start)
        indent = source.text[start : last.start]
        continued = _CONTINUED_BEFORE.search(source.text, 0, start)
        if not indent.strip() and continued is not None and last.end == end:
            return Change(start, start, f"{indent}{text} \\{source.newline}", key)
    return Change(end, end, f" {text}", key)


def remove_words(source: SourceText, span: Span, key: str) -> Change:
    """Removes an option with its values: its own lines, or it with the blanks before it.

    Raises:
        CannotEdit: nothing would hold the rest of the command together.
    """
    text = source.text
    start = _line_start(source, span.start)
    if not text[start : span.start].strip():
        continued = _CONTINUED.match(text, span.end)
        if continued is not None:
            return Change(start, continued.end(), "", key)
        before = _CONTINUED_BEFORE.search(text, 0, start)
        if before is not None and _LINE_END.match(text, span.end):
            return Change(before.start(), span.end, "", key)
        reason = "it begins a line that goes on"
        raise CannotEdit(reason, "Remove it by hand", source.line_of(span.start))
    blanks = len(text[: span.start]) - len(text[: span.start].rstrip(" \t"))
    return Change(span.start - blanks, span.end, "", key)


def insert_export(source: SourceText, start: int, name: str, value: str, key: str) -> Change:
    """Adds `export NAME=value` on a line above the command that begins at `start`.

    Raises:
        CannotEdit: the command does not begin a line.
    """
    line = _line_start(source, start)
    indent = source.text[line:start]
    statement = f"export {name}={shell_word(value)}"
    if indent.strip() or _CONTINUED_BEFORE.search(source.text, 0, line):
        reason = "the launch line does not begin a line of its own"
        raise CannotEdit(reason, f"Write {statement} above it", source.line_of(start))
    return Change(line, line, f"{indent}{statement}{source.newline}", key)


def remove_line(source: SourceText, at: int, key: str) -> Change | None:
    """Removes the whole line of an offset; None where it is part of a longer command."""
    start = _line_start(source, at)
    end = source.text.find("\n", at)
    end = len(source.text) if end < 0 else end + 1
    line = source.text[start:end].rstrip("\r\n")
    if line.endswith("\\") or _CONTINUED_BEFORE.search(source.text, 0, start):
        return None
    return Change(start, end, "", key)


def remove_prefix(source: SourceText, span: Span, key: str) -> Change:
    """Removes `NAME=value` before a command, with the continuation behind it."""
    following = re.compile(r"[ \t]*(?:\\\r?\n[ \t]*)?").match(source.text, span.end)
    return Change(span.start, span.end if following is None else following.end(), "", key)


def _line_start(source: SourceText, at: int) -> int:
    return source.line_starts[source.line_of(at) - 1]
