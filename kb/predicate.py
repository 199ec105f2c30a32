"""The condition language of the rules: text is parsed once, at load, into typed closures.

`per_device_train_batch_size < 4 and profile.fit.no_checkpointing.share < 0.8`. There are
comparisons, and / or / not, `in [...]`, arithmetic, names (`vocabulary`) and functions
(`language`). Nothing is evaluated as Python. A comparison with what is not known is neither true
nor false (`operations`), so a rule fires only on what is known. A name, function, operator or type
that does not exist is a PredicateError at load.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from kb import operations
from kb import situation as asked
from kb.language import (
    BOOLEAN,
    CALCULATE,
    COMPARE,
    CONSTANTS,
    FORMS,
    FUNCTIONS,
    LIST,
    NULL,
    NUMBER,
    TEXT,
    VERSION,
)
from kb.operations import UNKNOWN, Value
from kb.situation import Question, Situation
from kb.tokens import PredicateError, tokens_of
from kb.vocabulary import FIELDS, Kind, kind_of

__all__ = ["Expression", "PredicateError", "Template", "parse", "parse_condition", "parse_template"]


class Expression(NamedTuple):
    """A parsed text: how to ask it, what it can yield, and the fields and figures it reads."""

    run: Question
    kind: Kind
    names: tuple[str, ...] = ()
    literal: str | None = None
    """The characters of a literal, so that 7.10 can be read as a version."""
    value: Value = UNKNOWN
    """The value of a literal."""


class _Parser:
    """Reads one text, lowest precedence first: or, and, not, comparison, sum, product, atom."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at = text, tokens_of(text), 0

    def fail(self, reason: str, column: int | None = None) -> NoReturn:
        raise PredicateError(reason, self.text, column or self.column)

    @property
    def column(self) -> int:
        return self.tokens[self.at].column

    def peek(self) -> str:
        """The next sign or word; '' where a literal or the end comes."""
        token = self.tokens[self.at]
        return token.text if token.kind in ("sign", "name") else ""

    def take(self, wanted: str) -> bool:
        if self.peek() != wanted:
            return False
        self.at += 1
        return True

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            found = self.tokens[self.at].text or "the end"
            self.fail(f"expected {sign!r}, found {found!r}")

    def whole(self) -> Expression:
        found = self.either()
        if self.tokens[self.at].kind != "end":
            self.fail(f"unexpected {self.tokens[self.at].text!r}")
        return found

    def either(self) -> Expression:
        return self.joined("or", lambda: self.joined("and", self.negated, stop=False), stop=True)

    def joined(self, word: str, part: Callable[[], Expression], *, stop: bool) -> Expression:
        column, first = self.column, part()
        if self.peek() != word:
            return first
        parts = [self.as_condition(first, column)]
        while self.take(word):
            column = self.column
            parts.append(self.as_condition(part(), column))
        runs = tuple(one.run for one in parts)

        def run(situation: Situation) -> Value:
            unknown = False
            for one in runs:
                value = operations.truth(one(situation))
                if value is stop:
                    return stop
                unknown = unknown or value is UNKNOWN
            return UNKNOWN if unknown else not stop

        return Expression(run, BOOLEAN, _names(parts))

    def as_condition(self, found: Expression, column: int) -> Expression:
        if found.kind.types - {"boolean"}:
            self.fail("this is no condition: compare it with something", column)
        return found

    def negated(self) -> Expression:
        if not self.take("not"):
            return self.comparison()
        column = self.column
        inner = self.as_condition(self.negated(), column).run
        return Expression(lambda it: operations.negation(inner(it)), BOOLEAN)

    def comparison(self) -> Expression:
        column, left = self.column, self.calculation()
        sign = self.peek()
        if sign in ("in", "not"):
            self.at += 1
            if sign == "not":
                self.expect("in")
            return self.membership(left, negated=sign == "not", column=column)
        if sign not in COMPARE:
            return left
        self.at += 1
        right = self.calculation()
        if self.peek() in COMPARE:
            self.fail("comparisons do not chain: join them with 'and'")
        if "version" in left.kind.types and right.literal is not None:
            number = operations.read_version(right.literal)
            if number is None:
                self.fail(f"{right.literal!r} is no version", column)
            right = _literal(number, VERSION, None)
        self.check(left, right, sign, column)
        compare, first, second = COMPARE[sign], left.run, right.run
        return Expression(lambda it: compare(first(it), second(it)), BOOLEAN, _names([left, right]))

    def check(self, left: Expression, right: Expression, sign: str, column: int) -> None:
        """Refuse a comparison that could never hold."""
        types, others = left.kind.types, right.kind.types
        if types and others and not types & others:
            reason = f"{_say(left.kind)} is never {_say(right.kind)}"
            self.fail(reason, column)
        if sign not in ("==", "!=") and not types & others & {"number", "version"}:
            self.fail(f"{sign!r} needs two numbers or two versions", column)
        for one, other in ((left, right), (right, left)):
            choices, said = one.kind.choices, other.literal
            if choices and said not in (None, "null") and said not in choices:
                self.fail(f"{said!r} is none of {', '.join(sorted(choices))}", column)

    def membership(self, left: Expression, *, negated: bool, column: int) -> Expression:
        values = self.literals(left, column) if self.peek() == "[" else self.atom()
        if "list" not in values.kind.types:
            self.fail("'in' needs a list on its right", column)
        item, among = left.run, values.run

        def run(situation: Situation) -> Value:
            found = operations.member(item(situation), among(situation))
            return operations.negation(found) if negated else found

        return Expression(run, BOOLEAN, _names([left, values]))

    def literals(self, left: Expression, column: int) -> Expression:
        self.expect("[")
        values: list[Value] = []
        while not self.take("]"):
            where, item = self.column, self.atom()
            if item.literal is None:
                self.fail("a list in a condition holds literals only", where)
            self.check(left, item, "==", column)
            values.append(item.value)
            if self.peek() != "]":
                self.expect(",")
        return _literal(values, LIST, None)

    def calculation(self) -> Expression:
        return self.calculated(
            ("+", "-"), lambda: self.calculated(("*", "/", "//", "%"), self.atom)
        )

    def calculated(self, signs: tuple[str, ...], part: Callable[[], Expression]) -> Expression:
        column, left = self.column, part()
        while self.peek() in signs:
            sign = self.peek()
            self.at += 1
            left = self.arithmetic(sign, left, part(), column)
        return left

    def arithmetic(self, sign: str, left: Expression, right: Expression, column: int) -> Expression:
        if "number" not in left.kind.types or "number" not in right.kind.types:
            self.fail(f"{sign!r} needs two numbers", column)
        calculate, first, second = CALCULATE[sign], left.run, right.run
        return Expression(
            lambda it: calculate(first(it), second(it)), NUMBER, _names([left, right])
        )

    def atom(self) -> Expression:
        kind, text, column = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return _literal(text, TEXT, text)
        if kind == "number":
            return _number(text)
        if kind == "name":
            return self.call(text, column) if self.take("(") else self.named(text, column)
        if text == "-":
            return self.arithmetic("-", _number("0"), self.atom(), column)
        if text != "(":
            self.fail(f"unexpected {text or 'end'!r}", column)
        inner = self.either()
        self.expect(")")
        return inner

    def named(self, name: str, column: int) -> Expression:
        if name in CONSTANTS:
            constant = CONSTANTS[name]
            return _literal(constant, NULL if constant is None else BOOLEAN, name)
        kind = kind_of(name)
        if kind is None:
            self.fail(f"no field or figure is called {name!r}", column)
        types = kind.types
        absent = None if name.startswith("env.") else UNKNOWN

        def run(situation: Situation) -> Value:
            value = situation.values.get(name, absent)
            if value is None or operations.type_of(value) in types:
                return value
            return UNKNOWN

        return Expression(run, kind, (name,))

    def call(self, name: str, column: int) -> Expression:
        if name in FORMS:
            return self.form(name)
        function = FUNCTIONS.get(name)
        if function is None:
            known = ", ".join(sorted({*FUNCTIONS, *FORMS}))
            self.fail(f"no function is called {name!r}; known: {known}", column)
        given = [self.either()]
        while self.take(","):
            given.append(self.either())
        self.expect(")")
        if not function.fewest <= len(given) <= function.most:
            reason = f"{name} takes {function.fewest} to {function.most} arguments"
            self.fail(reason, column)
        for one in given:
            if one.kind.types and not one.kind.types & function.takes.types:
                reason = f"{name} takes {_say(function.takes)}, not {_say(one.kind)}"
                self.fail(reason, column)
        call, runs = function.run, tuple(one.run for one in given)
        return Expression(
            lambda it: call(*(one(it) for one in runs)), function.gives, _names(given)
        )

    def form(self, name: str) -> Expression:
        column, about = self.column, self.tokens[self.at].text
        self.at += 1
        if FORMS[name] in ("package", "pattern"):
            self.expect(")")
            if name == "version":
                return Expression(asked.version(about.lower()), VERSION)
            return Expression(asked.sets_variable(about), BOOLEAN)
        if about not in FIELDS and not about.startswith("env."):
            self.fail(f"{name} asks about a field, and {about!r} is none", column)
        field = about.replace("env.", "env:", 1)
        if name == "written":
            self.expect(",")
            spelling = self.tokens[self.at].text
            self.at += 1
            self.expect(")")
            return Expression(asked.written(field, spelling), BOOLEAN, (about,))
        self.expect(")")
        return Expression(getattr(asked, name)(field), BOOLEAN)


def _literal(value: Value, kind: Kind, text: str | None) -> Expression:
    return Expression(lambda _: value, kind, (), text, value)


def _number(text: str) -> Expression:
    if text.count(".") > 1:
        return _literal(UNKNOWN, VERSION, text)
    number = float(text) if "." in text or "e" in text else int(text)
    return _literal(number, NUMBER, text)


def _names(parts: list[Expression]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part.names))


def _say(kind: Kind) -> str:
    return " or ".join(sorted(kind.types)) or "null"


def parse(text: str) -> Expression:
    """Parse an expression of any type.

    Raises:
        PredicateError: with the column, when it cannot be read.
    """
    return _Parser(text).whole()


def parse_condition(text: str) -> Expression:
    """Parse a condition: an expression that is true, false or unknown.

    Raises:
        PredicateError: with the column, when it cannot be read or is no condition.
    """
    parser = _Parser(text)
    return parser.as_condition(parser.whole(), 1)


class Template(NamedTuple):
    """A sentence with `{expression}` parts."""

    pieces: tuple[str | Question, ...]

    def render(self, situation: Situation) -> str:
        """The sentence with the values filled in."""
        return "".join(
            piece if isinstance(piece, str) else operations.show(piece(situation))
            for piece in self.pieces
        )


def parse_template(text: str) -> Template:
    """Parse a sentence with `{expression}` parts.

    Raises:
        PredicateError: an expression in it cannot be read.
    """
    parts = re.split(r"\{([^}]*)\}", text)
    return Template(
        tuple(parse(part).run if index % 2 else part for index, part in enumerate(parts))
    )
