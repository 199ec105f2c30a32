"""What a word of a shell script is known to be, each stretch with the place that it was written at.

A variable that the script does not set comes from outside: it is unknown, unless the script gives
a default for it. What a command would print is unknown.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from workload.splice.shell_text import Part, Word

_BLANKS = re.compile(r"\s+")
_WHOLE = re.compile(r"\s*-?\d+\s*")
MAX_FIELDS = 4_000
"""Arguments that one word, or one command, becomes."""
NOT_SET = "is not set in this file"
MANY = "a command with very many arguments"
MAX_TEXT = 200_000
MAX_PIECES = 400


class Choice(NamedTuple):
    """One of the texts that a value may be; '' where it would not be set."""

    text: str
    at: int | None


class Piece(NamedTuple):
    """A stretch of text; unknown where `why` is set."""

    text: str
    at: int | None = None
    """Offset in the script where these very characters stand."""
    why: str = ""
    choices: tuple[Choice, ...] = ()
    """All that it may be, where the script shows it."""


Text = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable holds: one text, or the fields of an array."""

    text: Text = ()
    fields: tuple[Text, ...] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One argument as a command gets it."""

    pieces: Text
    word: Word
    quoted: bool
    """Some of it was quoted: it stays one argument."""

    @property
    def text(self) -> str | None:
        """The argument; None where part of it is unknown."""
        return whole(self.pieces)

    @property
    def why(self) -> str:
        """Why it is not known."""
        return next((piece.why for piece in self.pieces if piece.why), "")

    @property
    def head(self) -> str:
        """What is known of its beginning."""
        known = []
        for piece in self.pieces:
            if piece.why:
                break
            known.append(piece.text)
        return "".join(known)

    @property
    def opaque(self) -> bool:
        """It may stand for no argument or for several."""
        return bool(self.why) and not self.quoted and not self.head

    @property
    def start(self) -> int:
        """Where it is written: at the literal text behind it, else where the word stands."""
        held = [piece.at for piece in self.pieces if piece.at is not None and piece.text]
        return held[0] if held else self.word.start

    @property
    def span(self) -> tuple[int, int] | None:
        """The characters that are all of it; None where it stands in several places."""
        held = [piece for piece in self.pieces if piece.text or piece.why]
        if len(held) != 1 or held[0].at is None or held[0].why:
            return None
        return held[0].at, held[0].at + len(held[0].text)


def is_outside(text: Text) -> bool:
    """Whether a text is a variable or an argument that only the caller could have set."""
    held = [piece for piece in text if piece.text or piece.why]
    return len(held) == 1 and held[0].why.endswith(NOT_SET)


def told(piece: Piece, line_of: Callable[[int], int]) -> str:
    """Why a piece is unknown, with all that it may be."""
    shown = [
        f"{one.text[:80] or 'not set'}{f' (line {line_of(one.at)})' if one.at is not None else ''}"
        for one in piece.choices
    ]
    return f"{piece.why}: {' or '.join(shown)}" if shown else piece.why


def whole(pieces: Text) -> str | None:
    """The text of pieces that are all known."""
    return None if any(piece.why for piece in pieces) else "".join(one.text for one in pieces)


class Variables:
    """The variables of a script at one moment."""

    def __init__(self, held: Mapping[str, Value] | None = None) -> None:
        self.held: dict[str, Value] = dict(held or {})
        self.exported: dict[str, int] = {}
        """Name -> offset of the statement that exports it."""

    def copy(self) -> Variables:
        """The same variables, to be changed apart."""
        again = Variables(self.held)
        again.exported = dict(self.exported)
        return again

    def text(self, part: Part) -> Text:
        """What a variable part becomes inside quotes."""
        value = self.held.get(part.name)
        if part.index in ("[@]", "[*]") and value is not None and value.fields is not None:
            found: list[Piece] = []
            for number, one in enumerate(value.fields):
                found += ([Piece(" ")] if number else []) + list(one)
            return tuple(found)
        if value is None or (value.fields is not None) or part.index:
            return self._unset(part, value)
        if part.operator in ("+", ":+"):
            return self.join(part.default) if whole(value.text) else value.text
        if part.operator.startswith(":") and whole(value.text) == "":
            return self.join(part.default) if part.operator in (":-", ":=") else ()
        if part.operator in ("-", ":-", "=", ":="):
            return self._or_default(part, value)
        return value.text

    def _or_default(self, part: Part, value: Value) -> Text:
        """`${NAME:-default}` of a name that may be empty: one that only the caller could set."""
        if part.operator.startswith(":") and is_outside(value.text):
            return self.join(part.default)
        one = value.text[0] if len(value.text) == 1 else Piece("")
        default = whole(self.join(part.default))
        if default is None or all(choice.text for choice in one.choices):
            return value.text
        at = next((piece.at for piece in self.join(part.default)), part.start)
        given = [choice for choice in one.choices if choice.text not in ("", default)]
        return (one._replace(choices=(*given, Choice(default, at))),)

    def _unset(self, part: Part, value: Value | None) -> Text:
        """A variable that the script does not set, or an array read in another way."""
        if value is not None or part.index:
            return (Piece("", part.start, f"${part.name} is a part of an array"),)
        if part.operator in ("-", ":-", "=", ":="):
            default = self.join(part.default)
            if part.operator in ("=", ":="):
                self.held[part.name] = Value(default)
            return default
        return (Piece("", part.start, f"${part.name} {NOT_SET}"),)

    def part(self, part: Part) -> Text:
        """The pieces of one part as if quoted."""
        if part.kind == "text":
            return (Piece(part.text, part.start),)
        if part.kind == "variable":
            return self.text(part)
        if part.kind == "arithmetic":
            number = self._number(part.text)
            if number is not None:
                return (Piece(str(number)),)
            return (Piece("", part.start, "it is computed when the script runs"),)
        return (Piece("", part.start, "a command of the script gives it"),)

    def join(self, parts: Iterable[Part]) -> Text:
        """The pieces of several parts as one text; known neighbours of one place are one."""
        pieces: list[Piece] = []
        for part in parts:
            pieces += self.part(part)
            if len(pieces) > MAX_PIECES:
                return (Piece("", None, "it is put together from very many parts"),)
        found = _merged([piece for piece in pieces if piece.text or piece.why])
        size = sum(len(piece.text) for piece in found)
        return found if size < MAX_TEXT else (Piece("", None, "a very long text"),)

    def fields(self, word: Word) -> list[Field]:
        """The arguments that a word becomes."""
        several = self._several(word)
        if several is not None:
            return several
        found: list[Field] = []
        now: list[Piece] = []
        quoted = open_ = False
        for part in word.parts:
            if part.quoted or part.kind == "text":
                now += [piece for piece in self.part(part) if piece.text or piece.why]
                quoted |= part.quoted
                open_ = True
                continue
            for piece in self.part(part):
                for number, bit in enumerate(_split(piece)):
                    if number and (now or open_):
                        found.append(Field(tuple(now), word, quoted))
                        now, quoted, open_ = [], False, False
                    if bit is not None:
                        now.append(bit)
        if now or open_:
            found.append(Field(_merged(now), word, quoted))
        return _few(found, word)

    def _several(self, word: Word) -> list[Field] | None:
        """The elements of `"${NAME[@]}"`, what stands for `"$@"`; None for any other word."""
        variables = [part for part in word.parts if part.kind == "variable"]
        if len(variables) != 1 or any(one.text for one in word.parts if one not in variables):
            return None
        part = variables[0]
        value = self.held.get(part.name)
        if part.index in ("[@]", "[*]") and value is not None and value.fields is not None:
            return _few([Field(one, word, True) for one in value.fields[: MAX_FIELDS + 1]], word)
        return [Field(self.part(part), word, False)] if part.name in "@*" else None

    def _number(self, expression: str) -> int | None:
        """Whole-number arithmetic over known variables."""
        text = re.sub(r"\$?\{?([A-Za-z_]\w*)\}?", self._digits, expression)
        return compute(text) if len(text) < 200 else None

    def _digits(self, match: re.Match[str]) -> str:
        value = self.held.get(match[1])
        text = whole(value.text) if value is not None and value.fields is None else None
        return f" {text} " if text is not None and _WHOLE.fullmatch(text) else "?"


def _few(fields: list[Field], word: Word) -> list[Field]:
    """The arguments of a word; of very many, the rest is not known."""
    if len(fields) <= MAX_FIELDS:
        return fields
    return [*fields[:MAX_FIELDS], Field((Piece("", word.start, MANY),), word, False)]


def _merged(pieces: Iterable[Piece]) -> Text:
    """Neighbouring pieces that stand side by side as one."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        known = last is not None and last.at is not None and not (last.why or piece.why)
        if last is not None and known and piece.at == (last.at or 0) + len(last.text):
            found[-1] = Piece(last.text + piece.text, last.at)
        else:
            found.append(piece)
    return tuple(found)


def resplit(one: Field) -> list[Field]:
    """The words of an argument that a shell reads anew; quotes around a word are taken off."""
    found: list[list[Piece]] = [[]]
    for piece in one.pieces:
        for number, bit in enumerate(_split(piece)):
            if number:
                found.append([])
            if bit is not None:
                found[-1].append(bit)
    return [Field(_unquoted(_merged(bits)), one.word, False) for bits in found if bits]


def _unquoted(pieces: Text) -> Text:
    """Without the quotes around a word that is known."""
    one = pieces[0]
    if len(pieces) == 1 and len(one.text) > 1 and one.text[0] == one.text[-1] in "'\"":
        return (Piece(one.text[1:-1], None if one.at is None else one.at + 1),)
    return pieces


def _split(piece: Piece) -> list[Piece | None]:
    """A piece at its blanks; None for an empty end, so that a blank at either end splits too."""
    if piece.why:
        return [piece]
    found: list[Piece | None] = []
    at = 0
    for blank in (*_BLANKS.finditer(piece.text), None):
        end = len(piece.text) if blank is None else blank.start()
        where = None if piece.at is None else piece.at + at
        found.append(Piece(piece.text[at:end], where) if end > at else None)
        at = 0 if blank is None else blank.end()
    return found


_SUMS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
}


def compute(expression: str) -> int | None:
    """`8 * 4 / 2` as bash computes it; None where it is no such sum."""
    try:
        return _compute(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _compute(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < 10**12:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _SUMS:
        return _SUMS[type(node.op)](_compute(node.left), _compute(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_compute(node.operand)
    raise ValueError
