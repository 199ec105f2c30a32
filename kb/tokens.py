"""Cuts the text of a condition into tokens, and the error that names the column."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

TokenKind = Literal["number", "text", "name", "sign", "end"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)*(?:e-?\d+)?)|\"(?P<text>[^\"]*)\""
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign><=|>=|==|!=|//|[-+*/%<>()\[\],]))"
)


class PredicateError(ValueError):
    """A condition that cannot be read: what is wrong, and the 1-based column where."""

    def __init__(self, reason: str, text: str, column: int) -> None:
        self.reason, self.text, self.column = reason, text, column
        super().__init__(f"{reason} (column {column} of {text!r})")


class Token(NamedTuple):
    """A piece of a condition; a text comes without its quotes."""

    kind: TokenKind
    text: str
    column: int


def tokens_of(text: str) -> list[Token]:
    """The tokens of a condition, the last one of kind `end`.

    Raises:
        PredicateError: a character that no token starts with.
    """
    found: list[Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            column = len(text) - len(text[position:].lstrip()) + 1
            reason = f"{text[column - 1]!r} means nothing here"
            raise PredicateError(reason, text, column)
        kind: TokenKind = match.lastgroup  # type: ignore[assignment]
        found.append(Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
    found.append(Token("end", "", len(text) + 1))
    return found
