"""Writes a value as a Python literal in the style of the one it replaces."""

from __future__ import annotations

import re

from audit.records.base import Json

_SCIENTIFIC = re.compile(r"[-+]?[\d_.]+[eE][-+]?\d+")
_WHOLE = re.compile(r"[-+]?[\d_]+")


def literal(value: Json, like: str = "", quote: str = '"') -> str:
    """A value as Python source.

    Args:
        value: what to write; dicts and lists are written in one line.
        like: the text that it replaces: `2e-4` keeps its form, `'x'` its quotes, `3` no point.
        quote: the quotes of a text where `like` has none.
    """
    if isinstance(value, str):
        return _text(value, like[-1] if like[-1:] in ("'", '"') else quote)
    if isinstance(value, list):
        return f"[{', '.join(literal(item, '', quote) for item in value)}]"
    if isinstance(value, dict):
        pairs = (
            f"{_text(str(key), quote)}: {literal(item, '', quote)}" for key, item in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, float):
        return _number(value, like)
    return repr(value)


def _number(value: float, like: str) -> str:
    if _WHOLE.fullmatch(like) and value.is_integer():
        return str(int(value))
    text = re.sub(r"e([-+])0+(?=\d)", r"e\1", repr(value)).replace("e+", "e")
    if _SCIENTIFIC.fullmatch(like) and "e" not in text and value and not 0.1 <= abs(value) < 1000:
        mantissa, _, exponent = f"{value:.15e}".partition("e")
        short = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
        return short if float(short) == value else text
    return text


def _text(value: str, quote: str) -> str:
    escaped = "".join(_escape(character, quote) for character in value)
    return f"{quote}{escaped}{quote}"


def _escape(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return "\\" + character
    if character.isprintable():
        return character
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or _code(character)


def _code(character: str) -> str:
    number = ord(character)
    return (
        f"\\x{number:02x}"
        if number < 256
        else f"\\u{number:04x}"
        if number < 65536
        else f"\\U{number:08x}"
    )
