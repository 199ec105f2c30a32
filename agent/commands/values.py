"""Reads `FIELD=VALUE` from a command line as a typed edit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress

from audit.records.base import Json
from audit.records.errors import InputError, UserError
from audit.records.finding import FieldEdit

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
OPENING = ("[", "{", '"', "'")
WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "none": None}


def field_edits(wanted: Sequence[str], unwanted: Sequence[str]) -> tuple[FieldEdit, ...]:
    """The edits of `--set FIELD=VALUE` and `--unset FIELD`; raises UserError where one is bad."""
    edits = []
    for text in wanted:
        field, equals, value = text.partition("=")
        if not equals or not field.strip():
            message = f"--set {text} is not FIELD=VALUE"
            raise UserError(message, remedy="Write --set bf16=true.")
        if not value.strip():
            message = f"--set {text} gives no value"
            raise UserError(message, remedy=f"Take it out with --unset {field.strip()}")
        edits.append(FieldEdit(field=field.strip(), value=value_of(value.strip())))
    return (*edits, *(FieldEdit(field=field.strip(), remove=True) for field in unwanted))


def value_of(text: str) -> Json:
    """A number, true, false, null, a list, or the text itself.

    Raises:
        UserError: it begins as a list, a block or a quoted text and is none.
    """
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    with suppress(ValueError):
        return json.loads(text, parse_constant=str)
    if text[:1] in OPENING:
        return _flow(text)
    # `.5` and `1.` are numbers that JSON does not take.
    return float(text) if NUMBER.fullmatch(text) else text


def _flow(text: str) -> Json:
    """`[q_proj, v_proj]` as YAML reads it."""
    from workload.source import SourceText
    from workload.splice.yaml_document import Document

    try:
        return Document(SourceText("--set", f"value: {text}"), "pyyaml").value("value")
    except InputError as error:
        message = f"--set: {text[:80]} is no value that YAML can read"
        raise UserError(message, remedy="Close what it opens, or quote it") from error
