"""Reads `FIELD=VALUE` from a command line as a typed edit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from audit.records.base import Json
from audit.records.errors import UserError
from audit.records.finding import FieldEdit

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "none": None}


def field_edits(wanted: Sequence[str], unwanted: Sequence[str]) -> tuple[FieldEdit, ...]:
    """The edits of `--set FIELD=VALUE` and `--unset FIELD`; raises UserError where one is bad."""
    edits = []
    for text in wanted:
        field, equals, value = text.partition("=")
        if not equals or not field.strip():
            message = f"--set {text} is not FIELD=VALUE"
            raise UserError(message, remedy="Write --set bf16=true.")
        edits.append(FieldEdit(field=field.strip(), value=value_of(value.strip())))
    return (*edits, *(FieldEdit(field=field.strip(), remove=True) for field in unwanted))


def value_of(text: str) -> Json:
    """A number, true, false, null, a JSON list, or the text itself."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        # `.5` and `1.` are numbers that JSON does not take.
        return float(text) if NUMBER.fullmatch(text) else text
