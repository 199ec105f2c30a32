"""What the lines of a notebook cell are: Python, or commands to IPython and to the shell.

IPython takes a line apart before Python sees it; here the same lines are found, nothing is run.
A command becomes a comment of the same length or more, so that what it pins can still be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LineKind = Literal["python", "command", "variable", "foreign"]

PYTHON_CELLS = frozenset(
    {"capture", "time", "timeit", "prun", "memit", "mprun", "lprun", "debug", "wandb"}
)
"""Cell magics whose cell is Python all the same."""
SHELL_CELLS = frozenset({"bash", "sh", "script", "system", "!", "sx", "zsh"})
FILE_CELLS = frozenset({"writefile", "file"})

_CELL_MAGIC = re.compile(r"%%(?P<name>!|[A-Za-z_]\w*)[ \t]*(?P<rest>[^\n]*)")
_COMMAND = re.compile(
    r"[ \t]*(?:!|%|\?|(?:pip3?|uv|conda|mamba|apt(?:-get)?)[ \t]+"
    r"(?:-\S+[ \t]+)*(?:pip[ \t]+)?install\b)"
)
_TIMED = re.compile(r"%(?:time|prun)[ \t]+(?:-\S+[ \t]+)*(?=[A-Za-z_])")
"""Line magics that run the Python behind them."""
_ASSIGNED = re.compile(r"(?P<head>[ \t]*[\w][\w.,\[\]'\" \t]*=[ \t]*)(?P<sign>!|%[A-Za-z])")
_HELP = re.compile(r"[ \t]*[\w.*]+\?{1,2}[ \t]*(?:#.*)?$")
_SET = r"(?P<name>[A-Za-z_]\w*)(?:[ \t]*=[ \t]*|[ \t]+)(?P<value>[^\r\n]*)"
_VARIABLE = re.compile(r"[ \t]*%(?:env|set_env)[ \t]+" + _SET)
_EXPANDED = re.compile(r"[$`]|\{[^}]*\}")
_OPENS = re.compile(
    r"(?P<comment>#[^\n]*)|(?P<long>[rRbBuUfF]{0,2}(?:\"\"\"|'''))|"
    r"(?P<short>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|(?P<open>[(\[{])|(?P<close>[)\]}])",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CellLine:
    """One line of a cell, with its line end."""

    kind: LineKind
    text: str
    start: int
    """Offset of its first character in the cell's text."""
    name: str = ""
    """Of a variable that `%env` sets."""
    value: str = ""
    value_at: int = 0
    """Offset of the value in the cell's text."""


@dataclass(frozen=True, slots=True)
class CellRole:
    """What a cell as a whole is."""

    magic: str
    """`bash`, `writefile`, ...; '' for Python."""
    argument: str
    lines: tuple[CellLine, ...]
    body: int = 0
    """Offset of the first line behind the cell magic."""


def read_cell(text: str) -> CellRole:
    """The lines of a code cell."""
    head = len(text) - len(text.lstrip("\n"))
    found = _CELL_MAGIC.match(text.lstrip("\n"))
    lines = _split(text)
    if found is None:
        return CellRole("", "", tuple(_python_lines(lines, text)))
    name, rest = found["name"], found["rest"].strip()
    body = min(len(text), head + found.end() + 1)
    if name in PYTHON_CELLS:
        first = [CellLine("foreign", line, at) for line, at in lines if at < body]
        inner = _python_lines([(line, at) for line, at in lines if at >= body], text)
        return CellRole("", "", (*first, *inner), body)
    kind: LineKind = "command" if name in SHELL_CELLS else "foreign"
    return CellRole(name, rest, tuple(CellLine(kind, line, at) for line, at in lines), body)


def _split(text: str) -> list[tuple[str, int]]:
    """Lines with their line feeds, each with its offset."""
    found, at = [], 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        found.append((line, at))
        at += len(line)
    return found


def _python_lines(lines: list[tuple[str, int]], text: str) -> list[CellLine]:
    """Which lines are Python, which are commands with their continuations."""
    found: list[CellLine] = []
    state = _State()
    carried = False
    for line, at in lines:
        plain = line.rstrip("\r\n")
        if carried:
            found.append(CellLine("command", line, at))
            carried = plain.endswith("\\")
        elif state.inside:
            found.append(CellLine("python", line, at))
            state.read(line)
        elif timed := _TIMED.match(plain):
            found.append(CellLine("python", line[timed.end() :], at + timed.end()))
            state.read(line[timed.end() :])
        elif variable := _VARIABLE.match(plain):
            found.append(_variable(variable, line, at))
        elif _COMMAND.match(plain) or _HELP.match(plain):
            found.append(CellLine("command", line, at))
            carried = plain.endswith("\\")
        elif _ASSIGNED.match(plain):
            found.append(CellLine("foreign", line, at))
            carried = plain.endswith("\\")
        else:
            found.append(CellLine("python", line, at))
            state.read(line)
    return found


def _variable(match: re.Match[str], line: str, at: int) -> CellLine:
    value = match["value"].rstrip()
    return CellLine("variable", line, at, match["name"], value, at + match.start("value"))


def split_variable(words: str) -> tuple[str, str | None]:
    """Name and value of what `%env` is given; no value where it only reads, or expands another.

    IPython takes all that stands behind the sign as the value, a comment included.
    """
    found = re.match(_SET, words.strip())
    if found is None:
        return words.strip(), None
    value = found["value"].strip()
    return found["name"], value if is_plain(value) else None


def is_plain(words: str) -> bool:
    """Whether IPython would hand words on as they are: no `$name`, no `{expression}`."""
    return not _EXPANDED.search(words)


def assigned_name(line: str) -> str | None:
    """`files = ` of `files = !ls`; None where a line is no such assignment."""
    found = _ASSIGNED.match(line)
    return found["head"] if found else None


class _State:
    """Whether the next line begins inside a string, a bracket or a continued line."""

    def __init__(self) -> None:
        self.depth = 0
        self.quote = ""
        self.continued = False

    @property
    def inside(self) -> bool:
        """The next line continues a statement."""
        return bool(self.depth or self.quote or self.continued)

    def read(self, line: str) -> None:
        """Past one line."""
        at = 0
        comment = False
        if self.quote:
            end = _end_of_string(line, 0, self.quote)
            if end < 0:
                return
            self.quote, at = "", end
        while found := _OPENS.search(line, at):
            at = found.end()
            if found["comment"] is not None:
                comment = True
            elif found["open"] is not None:
                self.depth += 1
            elif found["close"] is not None:
                self.depth = max(0, self.depth - 1)
            elif found["long"] is not None:
                quote = found["long"][-3:]
                end = _end_of_string(line, at, quote)
                if end < 0:
                    self.quote, self.continued = quote, False
                    return
                at = end
        self.continued = not comment and line.rstrip("\r\n").endswith("\\")


def _end_of_string(line: str, at: int, quote: str) -> int:
    """Offset behind the closing quotes from `at` on; -1 where they do not stand in the line."""
    while True:
        end = line.find(quote, at)
        if end < 0:
            return -1
        slashes = len(line[:end]) - len(line[:end].rstrip("\\"))
        if slashes % 2 == 0:
            return end + 3
        at = end + 1
