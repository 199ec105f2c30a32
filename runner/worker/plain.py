"""Makes one plain line of an error's text: its first line, without paths and addresses."""

from __future__ import annotations

import re

_PLACE = re.compile(
    r"(?:[A-Za-z]:)?(?:/[\w.+@~-]+){2,}/?|\b0x[0-9a-fA-F]{6,}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b"
)
LONGEST = 300


def plain_line(text: str) -> str:
    """The first line of `text`, at most 300 characters."""
    lines = text.strip().splitlines()
    return _PLACE.sub("...", lines[0] if lines else "")[:LONGEST]
