"""A shell script as tokens with exact positions: words and their parts, operators, here-documents.

The grammar is that of bash (POSIX plus arrays and `[[`), read leniently: whatever it holds, the
whole text becomes tokens in one pass. Nothing is expanded here and nothing is ever run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

PartKind = Literal["text", "variable", "dynamic", "arithmetic"]

_PLAIN = re.compile(r"[^\\\"'$`\s;&|<>()#{}]+|[#{}]")
_INSIDE = re.compile(r"[^\\\"$`]+")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_BRACED = re.compile(
    r"(?P<bang>!?)(?P<name>[A-Za-z_]\w*|\d+|[@*])(?P<index>\[[^\]]*\])?(?P<op>:?[-=+?])?"
)
_OPERATOR = re.compile(r"&>>|<<-|<<<|<<|>>|&>|>&|<&|;;&|;;|;&|&&|\|\||\|&|[;&|<>()]")
_DELIMITER = re.compile(r"[ \t]*(?P<quote>['\"\\]?)(?P<word>[^\s;&|<>()'\"]+)['\"]?")
_TAIL = re.compile(r"[ \t]*\r?(?:\n|$)")
MAX_TOKENS = 20_000
"""Words, operators and line ends. The longest of 1,112 public launchers has 2,148."""
MAX_NESTED = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a word: its text as it will be, or what must be expanded."""

    kind: PartKind
    text: str
    """Of `text` the characters; of `arithmetic` the expression; of `dynamic` what was written."""
    start: int
    end: int
    quoted: bool = False
    name: str = ""
    operator: str = ""
    default: tuple[Part, ...] = ()
    index: str = ""
    """`[@]` of `${NAME[@]}`."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word."""

    start: int
    end: int
    parts: tuple[Part, ...]

    @property
    def plain(self) -> str | None:
        """The text of an unquoted word without expansions; None for any other."""
        one = self.parts[0] if len(self.parts) == 1 else None
        return one.text if one is not None and one.kind == "text" and not one.quoted else None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator, or a line feed, which ends a line."""

    text: str
    start: int
    end: int
    body: tuple[Part, ...] | None = None
    """Of `<<`: the here-document."""


Token = Word | Operator


@dataclass
class ShellText:
    """The tokens of a script, and what was odd about it."""

    text: str
    tokens: list[Token] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    """Offsets of comments that stand right behind a continued line: they end its command."""
    blanks: list[int] = field(default_factory=list)
    """Offsets of a backslash with blanks behind it at the end of a line: no continuation."""
    cut: int | None = None
    """Offset from which on nothing is read: the text has too many words."""


def read_shell(text: str) -> ShellText:
    """The tokens of a script."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found = ShellText(text)
        self.waiting: list[tuple[int, str, bool, bool]] = []
        """Here-documents whose body begins behind this line: token, delimiter, plain, tabs."""

    def read(self) -> ShellText:
        text, continued = self.text, False
        while self.at < len(text) and len(self.found.tokens) < MAX_TOKENS:
            sign = text[self.at]
            if sign in " \t\r":
                self.at += 1
                continue
            if text.startswith(("\\\n", "\\\r\n"), self.at):
                self.at = text.index("\n", self.at) + 1
                continued = True
                continue
            if sign == "\n":
                self._line_end()
            elif sign == "#":
                if continued:
                    self.found.comments.append(self.at)
                self.at = _line_stop(text, self.at)
            elif (operator := _OPERATOR.match(text, self.at)) is not None:
                self._operator(operator[0])
            else:
                self._word()
            continued = False
        if self.at < len(text):
            self.found.cut = self.at
        return self.found

    def _line_end(self) -> None:
        self.found.tokens.append(Operator("\n", self.at, self.at + 1))
        self.at += 1
        for index, delimiter, plain, tabs in self.waiting:
            start = self.at
            stop = end = len(self.text)
            at = start
            while at < len(self.text):
                line_end = _line_stop(self.text, at)
                line = self.text[at:line_end].rstrip("\r")
                if (line.lstrip("\t") if tabs else line) == delimiter:
                    stop, end = at, min(line_end + 1, len(self.text))
                    break
                at = line_end + 1
            body: tuple[Part, ...] = (Part("text", self.text[start:stop], start, stop, True),)
            if not plain:
                body = tuple(_document_parts(self.text, start, stop))
            opened = self.found.tokens[index]
            self.found.tokens[index] = Operator(opened_text(opened), opened.start, opened.end, body)
            self.at = end
        self.waiting = []

    def _operator(self, text: str) -> None:
        self.found.tokens.append(Operator(text, self.at, self.at + len(text)))
        self.at += len(text)
        if text in ("<<", "<<-"):
            delimiter = _DELIMITER.match(self.text, self.at)
            if delimiter is not None:
                index = len(self.found.tokens) - 1
                self.waiting.append(
                    (index, delimiter["word"], bool(delimiter["quote"]), text == "<<-")
                )
                self.at = delimiter.end()

    def _word(self) -> None:
        start = self.at
        parts, self.at = read_parts(self.text, start, len(self.text))
        if self.at == start:  # a sign that begins nothing
            self.at += 1
            parts = [Part("text", self.text[start], start, self.at)]
        last = parts[-1] if parts else None
        blank = last is not None and last.kind == "text" and last.text in (" ", "\t")
        if last is not None and blank and _TAIL.match(self.text, self.at):
            self.found.blanks.append(last.start - 1)
        self.found.tokens.append(Word(start, self.at, tuple(parts)))


def opened_text(token: Token) -> str:
    """The text of an operator."""
    return token.text if isinstance(token, Operator) else ""


def _line_stop(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def read_parts(text: str, at: int, stop: int, depth: int = 0) -> tuple[list[Part], int]:
    """The parts of the word that begins at `at`, and the offset behind it."""
    parts: list[Part] = []
    while at < stop:
        sign = text[at]
        if sign == "\\":
            if text.startswith(("\\\n", "\\\r\n"), at):
                at = text.index("\n", at) + 1
                continue
            if at + 1 < stop:
                parts.append(Part("text", text[at + 1], at + 1, at + 2, True))
            at += 2
        elif sign == "'":
            end = text.find("'", at + 1, stop)
            end = stop if end < 0 else end
            parts.append(Part("text", text[at + 1 : end], at + 1, end, True))
            at = end + 1
        elif sign == '"':
            inner, at = _quoted(text, at + 1, stop, depth)
            parts += inner
        elif sign in "$`":
            part, at = _expansion(text, at, stop, depth, quoted=False)
            parts.append(part)
        else:
            plain = _PLAIN.match(text, at, stop)
            if plain is None:
                break
            parts.append(Part("text", plain[0], at, plain.end()))
            at = plain.end()
    return _joined(parts), min(at, stop)


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbouring plain texts as one."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        texts = last is not None and last.kind == part.kind == "text"
        if last is not None and texts and (last.end, last.quoted) == (part.start, part.quoted):
            found[-1] = Part("text", last.text + part.text, last.start, part.end, last.quoted)
            continue
        found.append(part)
    return found


def _quoted(text: str, at: int, stop: int, depth: int) -> tuple[list[Part], int]:
    """The parts inside double quotes; the offset behind them."""
    parts: list[Part] = [Part("text", "", at, at, True)]
    while at < stop:
        sign = text[at]
        if sign == '"':
            return parts, at + 1
        if sign == "\\":
            if text.startswith(("\\\n", "\\\r\n"), at):
                at = text.index("\n", at) + 1
                continue
            keeps = at + 1 < stop and text[at + 1] not in '"\\$`'
            start = at if keeps else at + 1
            parts.append(Part("text", text[start : at + 2], start, at + 2, True))
            at += 2
        elif sign in "$`":
            part, at = _expansion(text, at, stop, depth, quoted=True)
            parts.append(part)
        else:
            plain = _INSIDE.match(text, at, stop)
            end = at + 1 if plain is None else plain.end()
            parts.append(Part("text", text[at:end], at, end, True))
            at = end
    return parts, at


def _document_parts(text: str, at: int, stop: int) -> list[Part]:
    """A here-document whose variables are expanded: as double quotes, where quotes are plain."""
    parts: list[Part] = []
    while at < stop:
        sign = text[at]
        if text.startswith(("\\\n", "\\\r\n"), at):
            at = text.index("\n", at) + 1
        elif sign == "\\" and at + 1 < stop and text[at + 1] in "\\$`":
            parts.append(Part("text", text[at + 1], at + 1, at + 2, True))
            at += 2
        elif sign in "$`":
            part, at = _expansion(text, at, stop, 0, quoted=True)
            parts.append(part)
        else:
            found = re.compile(r"[\\$`]").search(text, at + 1, stop)
            end = stop if found is None else found.start()
            parts.append(Part("text", text[at:end], at, end, True))
            at = end
    return _joined(parts)


def _expansion(text: str, at: int, stop: int, depth: int, *, quoted: bool) -> tuple[Part, int]:
    """What stands at a `$` or a backtick."""
    if text[at] == "`":
        end = text.find("`", at + 1, stop)
        end = stop if end < 0 else end + 1
        return Part("dynamic", text[at:end], at, end, quoted), end
    if text.startswith("$((", at):
        end = _closing(text, at + 1, stop)
        inner = text[at + 3 : max(at + 3, end - 2)]
        return Part("arithmetic", inner, at, end, quoted), end
    if text.startswith("$(", at):
        end = _closing(text, at + 1, stop)
        return Part("dynamic", text[at:end], at, end, quoted), end
    if text.startswith("${", at):
        return _braced(text, at, stop, depth, quoted)
    name = _NAME.match(text, at + 1, stop)
    if name is None:
        return Part("text", "$", at, at + 1, quoted), at + 1
    return Part("variable", "", at, name.end(), quoted, name[0]), name.end()


def _braced(text: str, at: int, stop: int, depth: int, quoted: bool) -> tuple[Part, int]:
    """`${NAME}`, `${NAME:-default}`, `${NAME[@]}`; anything else is dynamic."""
    end = _closing(text, at + 1, stop)
    found = _BRACED.match(text, at + 2, end)
    rest = found.end() if found is not None else at
    known = found is not None and not found["bang"] and depth < MAX_NESTED
    if found is None or not known or not (found["op"] or rest == end - 1):
        return Part("dynamic", text[at:end], at, end, quoted), end
    default: list[Part] = []
    if found["op"]:
        where = rest
        while where < end - 1:
            inner, following = read_parts(text, where, end - 1, depth + 1)
            default += inner
            if following < end - 1:  # a blank or an operator is plain inside braces
                default.append(Part("text", text[following], following, following + 1, quoted))
                following += 1
            where = following
    name, operator, index = found["name"], found["op"] or "", found["index"] or ""
    return Part("variable", "", at, end, quoted, name, operator, tuple(default), index), end


def _closing(text: str, at: int, stop: int) -> int:
    """Offset behind the bracket that closes the one at `at`; quotes inside are passed over."""
    opening = text[at]
    closing = {"(": ")", "{": "}"}[opening]
    depth, quote = 0, ""
    while at < stop:
        sign = text[at]
        if sign == "\\" and quote != "'":
            at += 2
            continue
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == opening:
            depth += 1
        elif sign == closing:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return stop
