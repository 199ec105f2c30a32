"""What a walk through a shell script finds: its commands, and what was set before each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from workload.dialects.shell_values import Field, Text, Value, Variables, whole
from workload.splice.shell_text import Part, Word

ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<more>\+?)=")


@dataclass(frozen=True, slots=True)
class Assigned:
    """`NAME=value` before a command, or in an `export`."""

    name: str
    value: Text
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Command:
    """One command with its arguments as far as they are known."""

    fields: tuple[Field, ...]
    prefix: tuple[Assigned, ...]
    start: int
    """Offset of its first character, variables before it included."""
    end: int
    """Offset behind its last argument."""
    exported: dict[str, tuple[Text, int]]
    """Variables exported by then: value and the offset of their statement."""
    nested: str = ""
    """`if`, `loop` or `function` that it stands in."""
    stdout: str | None = None
    """The file that its output goes to."""
    document: tuple[Part, ...] | None = None


@dataclass
class Script:
    """What a walk found."""

    commands: list[Command] = field(default_factory=list)
    directives: list[tuple[str, int]] = field(default_factory=list)
    """The lines `#SBATCH ...` with their offsets."""
    cut: int | None = None
    """Offset of the first command that is not walked, because there are too many."""


@dataclass
class Block:
    """A construct that is open."""

    kind: str
    before: Variables
    branches: list[Variables] = field(default_factory=list)
    decided: bool | None = None
    """Whether its condition holds."""
    live: bool = True
    """Whether commands here are reached."""
    has_else: bool = False
    entered: bool = False
    """Of a loop: its body has begun."""
    pattern: bool = False
    """In a `case`, before the `)` of a pattern."""
    subject: str | None = None
    """Of a `case`: what is compared with the patterns, where it is known."""
    matched: bool = False
    """A pattern of the `case` fits what is known."""
    words: list[Word] = field(default_factory=list)
    """The patterns before the next `)`."""


def known_value(value: Value | None) -> object:
    """What is known of a variable, to be compared."""
    if value is None:
        return None
    if value.fields is not None:
        return tuple(whole(one) for one in value.fields)
    return whole(value.text)


def array_name(word: Word) -> tuple[str, str]:
    """NAME of `NAME=` or `NAME+=`, and the plus sign; empty for any other word."""
    last = word.parts[-1] if word.parts else None
    if last is None or last.kind != "text" or last.quoted or len(word.parts) > 1:
        return "", ""
    found = ASSIGNMENT.fullmatch(last.text)
    return (found["name"], found["more"]) if found else ("", "")


def opens_array(one: Assigned, variables: Variables) -> bool:
    """`NAME=` that the elements of an array follow: those are its value."""
    value = variables.held.get(one.name)
    return whole(one.value) == "" and value is not None and value.fields is not None
