"""Text from files, models and the web without what could steer a terminal or a viewer.

Control characters, escape sequences' first bytes, marks that turn the direction of writing, and
halves of characters become the replacement sign; letters of every script stay.
"""

from __future__ import annotations

import unicodedata

LOST = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, keep: str = "\n\t") -> str:
    """The text with every character that does not print replaced, those of `keep` excepted."""
    if text.isprintable():
        return text
    return "".join(letter if _prints(letter) or letter in keep else LOST for letter in text)


def _prints(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"
