"""Makes f-strings of Python 3.12 readable to an older parser, every character staying in its place.

Since 3.12 (PEP 701) the expressions inside an f-string may hold its own quotes and backslashes.
Both are replaced by characters of the same length that mean the same to a reader of settings: the
other quote, and blanks. Only texts that the parser refused come here.
"""

from __future__ import annotations

import re

_STARTS = re.compile(r"#[^\n]*|(?P<prefix>[A-Za-z]{0,2})(?P<quote>\"\"\"|'''|\"|')", re.DOTALL)
_F_PREFIXES = frozenset({"f", "rf", "fr"})


def older_fstrings(text: str) -> str:
    """The text with the quotes and backslashes inside f-string expressions exchanged."""
    out: list[str] = []
    at = 0
    while found := _STARTS.search(text, at):
        out.append(text[at : found.end()])
        at = found.end()
        if found["quote"] is None:
            continue
        body = _formatted if found["prefix"].lower() in _F_PREFIXES else _plain
        written, at = body(text, at, found["quote"])
        out.append(written)
    return "".join([*out, text[at:]])


def _plain(text: str, at: int, quote: str) -> tuple[str, int]:
    """Past a string without expressions, its closing quotes included."""
    start = at
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text.startswith(quote, at):
            return text[start : at + len(quote)], at + len(quote)
        elif text[at] == "\n" and len(quote) == 1:
            break
        else:
            at += 1
    return text[start:at], at


def _formatted(text: str, at: int, quote: str) -> tuple[str, int]:
    """Past an f-string, with its expressions rewritten."""
    out: list[str] = []
    depth = 0
    other = "'" if quote[0] == '"' else '"'
    while at < len(text):
        sign = text[at]
        if depth == 0 and text.startswith(quote, at):
            return "".join(out) + quote, at + len(quote)
        if sign == "\n" and len(quote) == 1:
            break
        if depth == 0 and (sign == "\\" or text[at : at + 2] in ("{{", "}}")):
            out.append(text[at : at + 2])
            at += 2
            continue
        depth = max(0, depth + (sign == "{") - (sign == "}"))
        inside = depth > 0
        if inside and sign == "\\":
            out.append("  ")
            at += 2
            continue
        out.append(other if inside and sign == quote[0] else sign)
        at += 1
    return "".join(out), at
