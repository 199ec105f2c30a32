"""One key of a YAML or JSON file set, added or removed, by the splicer of the file's own syntax."""

from __future__ import annotations

from collections.abc import Sequence as Many

from audit.records.base import Json
from workload.dialects import Change
from workload.splice import json as json_splice
from workload.splice import yaml as yaml_splice
from workload.splice.json_document import JsonDocument
from workload.splice.yaml_document import Document, Place


def set_value(document: Document, place: Place, value: Json) -> Change:
    """Replace the characters of one value. Raises CannotEdit."""
    if isinstance(document, JsonDocument):
        return json_splice.set_member(document, place, value)
    return yaml_splice.set_value(document, place, value)


def insert_key(document: Document, path: str, value: Json, beside: Many[str] = ()) -> Change:
    """Add one key below the first of `beside` that its block holds, else last. Raises CannotEdit.

    A block that is missing is added with it.
    """
    if isinstance(document, JsonDocument):
        return json_splice.insert_member(document, path, value, beside)
    return yaml_splice.insert_key(document, path, value, beside)


def remove_key(document: Document, place: Place) -> Change:
    """Remove a key with its value. Raises CannotEdit."""
    if isinstance(document, JsonDocument):
        return json_splice.remove_member(document, place)
    return yaml_splice.remove_key(document, place)
