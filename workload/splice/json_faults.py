"""What is wrong with a broken JSON text, told with line, column and remedy."""

from __future__ import annotations

import json

from audit.records.errors import InputError
from workload.source import SourceText

_PYTHON = {"True": "true", "False": "false", "None": "null"}
WHOLE = "Upload the whole file"
AS_READ = "Upload the training file as the framework reads it"


def fault(source: SourceText, at: int, reason: str, remedy: str = AS_READ) -> InputError:
    """An error at the character `at`."""
    line, column = source.line_of(at), source.column_of(at)
    return InputError(reason, file=source.name, line=line, column=column, remedy=remedy)


def end_fault(source: SourceText, at: int, *, after_object: bool) -> InputError:
    """Text stands behind the end of the JSON."""
    if after_object and source.text[at] == "{":
        reason = "the file holds several JSON objects (JSON lines: a data file?)"
        return fault(source, at, reason, "Upload the config; name a data sample .jsonl")
    return fault(source, at, "text stands behind the end of the JSON", "Remove it")


def text_fault(source: SourceText, error: json.JSONDecodeError) -> InputError:
    """A quoted text that is not closed or holds a broken escape."""
    if "control character" in error.msg:
        remedy = "Close the quote on its own line; write \\n for a line break, \\t for a tab"
        return fault(source, error.pos, "a quote is not closed on its line", remedy)
    reason = "a quote is not closed" if "Unterminated" in error.msg else "a broken escape"
    remedy = 'Write \\\\ for a backslash and \\" for a quote'
    return fault(source, error.pos, reason, remedy)


def key_fault(source: SourceText, at: int, opened: int) -> InputError:
    """No key where one belongs."""
    first = source.text[at : at + 1]
    if not first:
        return unclosed_fault(source, opened)
    if first == "{" or source.text.startswith("{%", at - 1):
        return _template(source, at)
    if first == "'":
        return fault(source, at, "a key in single quotes", "JSON takes double quotes only")
    if first == ",":
        return fault(source, at, "a comma stands where a key belongs", "Remove it")
    return fault(source, at, "a key stands without double quotes", 'Write "key": value')


def separator_fault(source: SourceText, at: int, opened: int, close: str) -> InputError:
    """Neither a comma nor the closing bracket behind a value."""
    sign = source.text[at : at + 1]
    if not sign:
        return unclosed_fault(source, opened)
    if sign in '"{[' or sign.isalnum():
        return fault(source, at, "a comma is missing before this", "Separate values by commas")
    reason = f"{sign!r} stands where a comma or {close!r} belongs"
    return fault(source, at, reason, "Check the brackets")


def value_fault(source: SourceText, at: int, word: str) -> InputError:
    """No value where one belongs; `word` is the name that stands there, if any."""
    sign = source.text[at : at + 1]
    if not sign:
        return fault(source, at, "the JSON ends where a value belongs", WHOLE)
    placeholder = source.text.startswith(("{{", "{%", "$", "<"), at)
    if placeholder or (len(word) > 2 and word.isupper()):
        return _template(source, at)
    if word in _PYTHON:
        return fault(source, at, f"{word} is Python", f"Write {_PYTHON[word]}")
    if sign == "'":
        return fault(source, at, "text in single quotes", "JSON takes double quotes only")
    if sign.isdigit() or sign in ".+-":
        remedy = "Write 0.5, not .5 or +0.5; no leading zeros"
        return fault(source, at, "this is no number as JSON writes it", remedy)
    if word:
        return fault(source, at, f"{word[:40]} stands without double quotes", "Quote the text")
    reason = f"{sign!r} stands where a value belongs"
    return fault(source, at, reason, "Check the commas and brackets")


def unclosed_fault(source: SourceText, opened: int) -> InputError:
    """The text ends within an object or a list."""
    return fault(source, opened, f"the {source.text[opened]!r} is never closed", WHOLE)


def _template(source: SourceText, at: int) -> InputError:
    reason = "a placeholder stands here: the file is a template, not yet a config"
    return fault(source, at, reason, "Render it first and upload the result")
