"""Says a rule's condition in words, as HTML: what `kb.predicate` asks is what a person reads.

The grammar is that of `kb.predicate`; a text that it reads is said here, so the loader has checked
it before. Every literal is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from kb.tokens import Token, tokens_of
from ui.phrases import COMPARED, FRAMEWORKS, NAMES, SHARES, SWITCHES, field_code

_NAMED = re.compile(r"\$([a-z_]+)")
LET = "let."
"""Before the name of a quantity that a rule defines itself."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of a condition in words."""

    yes: str
    """As a value, or as a condition that holds."""
    no: str = ""
    """As a condition that does not hold."""
    joint: str = ""
    """`and` or `or` between the parts; empty for a single condition."""
    parts: tuple[Phrase, ...] = ()
    unless: str = ""
    """What must not be known to hold: said as an exception in a list."""
    name: str = ""
    """The field or figure that this is."""
    literal: str | None = None
    """The characters of a literal."""
    sum: bool = False
    """Needs brackets within a product."""

    @property
    def inline(self) -> str:
        """Within a longer sentence: brackets around what has several parts."""
        return f"({self.yes})" if self.parts else self.yes


class _Reader:
    """Reads one text, lowest precedence first, as `kb.predicate` does."""

    def __init__(self, text: str) -> None:
        self.tokens, self.at = tokens_of(text), 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self, *signs: str) -> str:
        """The next token's text where it is one of these signs or words, else ''."""
        kind, text, _ = self.token
        if kind in ("sign", "name") and text in signs:
            self.at += 1
            return text
        return ""

    def either(self) -> Phrase:
        return self.joined("or")

    def joined(self, word: str) -> Phrase:
        def part() -> Phrase:
            return self.joined("and") if word == "or" else self.negated()

        parts = [part()]
        while self.take(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        parts = [condition_of(one) for one in parts]
        yes = f" <b>{word}</b> ".join(one.inline for one in parts)
        return Phrase(yes, f"not ({yes})", word, tuple(parts))

    def negated(self) -> Phrase:
        if not self.take("not"):
            return self.comparison()
        inner = condition_of(self.negated())
        unless = inner.yes if inner.no.startswith("it is not certain") else ""
        return Phrase(inner.no or f"not {inner.yes}", inner.inline, unless=unless)

    def comparison(self) -> Phrase:
        left = self.sum()
        if self.take("in"):
            return self.among(left, negated=False)
        if self.token.text == "not" and self.tokens[self.at + 1].text == "in":
            self.at += 2
            return self.among(left, negated=True)
        sign = self.take(*COMPARED)
        return compared(left, sign, self.sum()) if sign else left

    def among(self, left: Phrase, *, negated: bool) -> Phrase:
        if self.take("["):
            values = []
            while not self.take("]"):
                values.append(self.atom())
                self.take(",")
            yes, no = among(left, values)
        else:
            holder = self.atom().yes
            yes, no = f"{holder} holds {left.yes}", f"{holder} does not hold {left.yes}"
        return Phrase(no, yes) if negated else Phrase(yes, no)

    def sum(self) -> Phrase:
        left = self.product()
        while sign := self.take("+", "-"):
            word = "−" if sign == "-" else sign
            left = Phrase(f"{left.yes} {word} {self.product().yes}", sum=True)
        return left

    def product(self) -> Phrase:
        left = self.atom()
        while sign := self.take("*", "/", "//", "%"):
            first, second = _factor(left), _factor(self.atom())
            word = {"*": "×", "%": "modulo"}.get(sign, "/")
            said = f"{first} {word} {second}"
            left = Phrase(f"({said} rounded down)" if sign == "//" else said)
        return left

    def atom(self) -> Phrase:
        kind, text, _ = self.token
        self.at += 1
        if kind in ("text", "number"):
            shown = f"<code>{escape(text)}</code>" if kind == "text" and text else escape(text)
            return Phrase(shown or "empty", literal=text)
        if kind == "name":
            if text in ("true", "false", "null"):
                return Phrase({"true": "on", "false": "off", "null": "not set"}[text], literal=text)
            return self.call(text) if self.take("(") else named(text)
        if text == "-":
            return Phrase(f"−{self.atom().yes}")
        inner = self.either()
        self.take(")")
        return inner

    def call(self, name: str) -> Phrase:
        given = [self.either()]
        while self.take(","):
            given.append(self.either())
        self.take(")")
        return called(name, given)


def _factor(phrase: Phrase) -> str:
    return f"({phrase.yes})" if phrase.sum else phrase.yes


def _enumerated(values: list[str]) -> str:
    if len(values) == 1:
        return values[0]
    return f"{', '.join(values[:-1])} or {values[-1]}"


def among(left: Phrase, values: list[Phrase]) -> tuple[str, str]:
    """`is one of` and its opposite; what is not set is neither of the others."""
    listed = _enumerated([said_value(left, value) for value in values])
    others = [said_value(left, value) for value in values if value.literal != "null"]
    if len(others) == len(values):
        return f"{left.yes} is {listed}", f"{left.yes} is not {listed}"
    rest = f" and is not {_enumerated(others)}" if others else ""
    return f"{left.yes} is {listed}", f"{left.yes} is set{rest}"


def named(name: str) -> Phrase:
    """A field or figure by its name."""
    if name in SWITCHES:
        yes, no = SWITCHES[name]
        return Phrase(yes, no, name=name)
    if name.startswith(LET):
        return Phrase(f"the <i>{name.removeprefix(LET).replace('_', ' ')}</i>", name=name)
    return Phrase(NAMES.get(name) or field_code(name), name=name)


def condition_of(phrase: Phrase) -> Phrase:
    """A bare field as a condition; anything else as it is."""
    if phrase.name and not phrase.no:
        return Phrase(f"{phrase.yes} is on", f"{phrase.yes} is not on")
    return phrase


def said_value(left: Phrase, value: Phrase) -> str:
    """A literal beside what it is compared with: shares as percent, makers by name."""
    literal = value.literal
    if literal is not None and left.name in SHARES and re.fullmatch(r"[\d.]+", literal):
        return f"{float(literal) * 100:g}%{SHARES[left.name]}"
    if left.name == "hardware.vendor" and literal:
        return {"amd": "AMD", "nvidia": "NVIDIA"}.get(literal, literal)
    if left.name == "framework" and literal in FRAMEWORKS:
        return FRAMEWORKS[literal]
    return value.yes


def compared(left: Phrase, sign: str, right: Phrase) -> Phrase:
    """Two values and the sign between them."""
    if right.literal == "null" and sign in ("==", "!="):
        yes, no = among(left, [right])
        return Phrase(yes, no) if sign == "==" else Phrase(no, yes)
    if left.name == "lengths.origin" and right.literal == "stated":
        return Phrase("the data lengths are stated", "the data lengths are not stated")
    if right.literal in ("true", "false") and left.no:
        holds = (right.literal == "true") is (sign == "==")
        return left if holds else Phrase(left.no, left.yes)
    yes, no = COMPARED[sign]
    value = said_value(left, right)
    return Phrase(f"{left.yes} {yes} {value}", f"{left.yes} {no} {value}")


def called(name: str, given: list[Phrase]) -> Phrase:
    """A function or a question about the file itself."""
    if name in ("surely", "pick"):
        given = [condition_of(given[0]), *given[1:]]
    said = [one.yes for one in given]
    first, last = said[0], said[-1]
    match name:
        case "surely":
            return Phrase(
                first,
                f"it is not certain that {given[0].inline}",
                given[0].joint,
                given[0].parts,
            )
        case "contains" | "starts_with":
            verb = {"contains": ("contains", "contain")}.get(name, ("starts with", "start with"))
            return Phrase(f"{first} {verb[0]} {last}", f"{first} does not {verb[1]} {last}")
        case "stated" | "mentioned":
            return Phrase(f"{first} stands in the file", f"{first} does not stand in the file")
        case "known":
            return Phrase(f"{first} is known", f"{first} is not known")
        case "written":
            spelling = given[1].name or given[1].literal or ""
            code = f"<code>{escape(spelling)}</code>"
            return Phrase(f"{first} is written as {code}", f"{first} is not written as {code}")
        case "sets_variable":
            pattern = given[0].literal or ""
            code = f"<code>{escape(pattern)}</code>"
            if "*" not in pattern:
                return Phrase(f"{code} is set", f"{code} is not set")
            return Phrase(f"a variable {code} is set", f"no variable {code} is set")
        case _:
            return Phrase(_calculated(name, said), name=given[0].name if name == "lower" else "")


def _calculated(name: str, said: list[str]) -> str:
    first, last = said[0], said[-1]
    return {
        "lower": first,
        "round": first,
        "percent": first,
        "version": f"the version of {first}",
        "min": f"the smallest of {', '.join(said)}",
        "max": f"the largest of {', '.join(said)}",
        "largest_divisor": f"the largest divisor of {first} that is at most {last}",
        "otherwise": f"{first} (or {last} where that is not known)",
        "pick": f"{last} ({said[min(1, len(said) - 1)]} where {first})",
    }.get(name, escape(name))


def is_condition(text: str, names: Mapping[str, str]) -> bool:
    """Whether an expression holds or not, rather than being a number or text."""
    return bool(_Reader(filled(text, names)).either().no)


def filled(text: str, names: Mapping[str, str]) -> str:
    """The text with every `$name` of a condition replaced by it; a quantity keeps its name."""
    while match := _NAMED.search(text):
        inner = names.get(match[1], "")
        put = f"({inner})" if inner and is_condition(inner, names) else LET + match[1]
        text = text[: match.start()] + put + text[match.end() :]
    return text


def say(text: str, names: Mapping[str, str]) -> Phrase:
    """A condition in words.

    Raises:
        PredicateError: a character that no token starts with.
    """
    return condition_of(_Reader(filled(text, names)).either())


def say_formula(text: str, names: Mapping[str, str]) -> str:
    """A calculation or name within a sentence."""
    return _Reader(filled(text, names)).either().yes


def say_list(text: str, names: Mapping[str, str]) -> str:
    """A condition as HTML; several parts as a list of their own."""
    phrase = say(text, names)
    parts = _flat(phrase, phrase.joint)
    if len(parts) == 1 or (phrase.joint == "or" and len(parts) == 2):
        return f"<p>{_item(phrase)}</p>"
    items = "".join(f"<li>{_item(part)}</li>" for part in parts)
    head = "<p>One of these:</p>" if phrase.joint == "or" else ""
    return f'{head}<ul class="gg-all">{items}</ul>'


def say_names(names: Mapping[str, str], used: Iterable[str]) -> str:
    """What the named quantities of these texts are; empty where none is named."""
    wanted = [name for text in used for name in _NAMED.findall(text)]
    told: dict[str, str] = {}
    while wanted:
        name = wanted.pop(0)
        text = names.get(name, "")
        wanted += _NAMED.findall(text)
        if text and name not in told and not is_condition(text, names):
            told[name] = say_formula(text, names)
    items = "".join(
        f"<li>the <i>{name.replace('_', ' ')}</i> is {said}</li>" for name, said in told.items()
    )
    return f'<p>Here</p><ul class="gg-all">{items}</ul>' if items else ""


def _flat(phrase: Phrase, joint: str) -> list[Phrase]:
    if not joint or phrase.joint != joint:
        return [phrase]
    return [one for part in phrase.parts for one in _flat(part, joint)]


def _item(phrase: Phrase) -> str:
    return f"unless {phrase.unless}" if phrase.unless else phrase.yes
