"""What a shell script has set behind an `if`, a `case` or a loop: what every way through agrees on.

What the ways leave differently is unknown from there on; where each of them leaves a value that the
text shows, all of these are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from workload.dialects.shell_command import Block, known_value
from workload.dialects.shell_values import Choice, Piece, Text, Value, Variables, whole
from workload.splice.shell_text import Word

ON_A_CONDITION = "it depends on a condition"
MAX_CHOICES = 4


def behind(block: Block, now: Variables) -> Variables:
    """The variables behind an `if` or a `case` that ends here."""
    ends = [*block.branches, *([now] if block.live and not block.pattern else [])]
    settled = block.decided is True or (block.kind == "case" and block.matched)
    if not (block.has_else or settled):
        ends.append(block.before)
    if settled and block.branches:
        ends = block.branches[:1]
    return merged(ends or [block.before])


def merged(ends: Sequence[Variables]) -> Variables:
    """The variables that several ways leave, of which one was gone."""
    found = ends[0].copy()
    for name in {name: None for one in ends for name in one.held}:
        values = [one.held.get(name) for one in ends]
        if all(value == values[0] for value in values[1:]):
            continue
        if len({known_value(value) for value in values}) > 1 or values[0] is None:
            found.held[name] = Value((Piece("", None, ON_A_CONDITION, _choices(values)),))
        else:
            found.held[name] = values[0]
    return found


def forget(block: Block, now: Variables, why: str) -> None:
    """What was set inside a loop or a function is not known behind."""
    for name, value in now.held.items():
        if block.before.held.get(name) != value:
            now.held[name] = Value((Piece("", None, why),))


def one_of(name: str, at: int, texts: Sequence[Text]) -> Text:
    """What a loop gives its variable: the only word, else one of those that are shown."""
    if len(texts) == 1:
        return texts[0]
    choices = _choices([Value(text) for text in texts])
    return (Piece("", at, f"${name} changes in a loop", choices),)


def _choices(values: Sequence[Value | None]) -> tuple[Choice, ...]:
    """The different texts, '' for a variable that is not set; none where one is not known."""
    found: dict[str, Choice] = {}
    for value in values:
        text = () if value is None else value.text
        if value is not None and value.fields is not None:
            return ()
        if len(text) == 1 and text[0].choices:
            found |= {one.text: found.get(one.text, one) for one in text[0].choices}
            continue
        known = whole(text)
        if known is None:
            return ()
        found.setdefault(known, Choice(known, text[0].at if text else None))
    return tuple(found.values()) if 1 < len(found) <= MAX_CHOICES else ()


def read_pattern(block: Block, words: Sequence[Word]) -> None:
    """The patterns before a `)` of a `case`: whether they fit, as far as the text tells."""
    patterns = [word.plain for word in words]
    block.has_else |= "*" in patterns
    block.pattern = False
    if block.subject is None or None in patterns:
        return
    fits = any(fnmatchcase(block.subject, pattern or "") for pattern in patterns)
    block.live = fits and not block.matched
    block.matched |= fits
