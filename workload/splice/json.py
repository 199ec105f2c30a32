"""Changes of a JSON text: one value replaced, one member added or removed with its comma.

Nothing is ever serialised anew: indentation, order and line ends stay, and a new member is written
the way its neighbours are. The caller parses the result again and compares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence as Many

from audit.records.base import Json
from workload.dialects import CannotEdit, Change
from workload.splice.json_document import JsonDocument
from workload.splice.json_tree import Array
from workload.splice.yaml_document import Place
from workload.splice.yaml_tree import Entry, Mapping, Scalar

INDENT = "  "


def set_member(document: JsonDocument, place: Place, value: Json) -> Change:
    """Replace the characters of one scalar, or of one list by another.

    Raises:
        CannotEdit: the text is no standard JSON, the key is repeated, or holds an object.
    """
    _check_own(document, place)
    node = place.value
    if isinstance(node, Scalar):
        return Change(node.start, node.end, json_text(value), place.path)
    if isinstance(node, Array):
        return Change(node.start, node.end, _list_text(document, node, value), place.path)
    reason = f"{place.path} holds an object"
    advice = f"Write {json.dumps(place.path)}: {json_text(value)}"
    raise CannotEdit(reason, advice, document.line(place))


def insert_member(document: JsonDocument, path: str, value: Json, beside: Many[str] = ()) -> Change:
    """Add one member below the first of `beside` that its object holds, else at the end.

    Objects on the way that are missing are added with it. Raises CannotEdit.
    """
    _check_standard(document)
    steps = path.split(".")
    block, depth = document.root, 0
    while depth < len(steps) - 1:
        place = document.place(".".join(steps[: depth + 1]))
        if place is None:
            break
        _check_own(document, place)
        if not isinstance(place.value, Mapping):
            reason = f"{place.path} is no object"
            advice = f"Write {place.path} as an object with {path}: {json_text(value)}"
            raise CannotEdit(reason, advice, document.line(place))
        block, depth = place.value, depth + 1
    return _insert(document, block, steps, depth, value, beside)


def remove_member(document: JsonDocument, place: Place) -> Change:
    """Remove a member with its comma; whole lines where it stands on its own.

    Raises:
        CannotEdit: as `set_member`, or it is the only member of the file.
    """
    _check_own(document, place)
    block = place.parent
    if len(block.entries) > 1:
        return Change(*_member_span(document, place), "", place.path)
    if block is document.root:
        reason = f"{place.path} is the only setting"
        raise CannotEdit(reason, f"Remove {place.path}", document.line(place))
    return Change(block.start + 1, block.end - 1, "", place.path)


def json_text(value: Json) -> str:
    """A value as JSON on one line.

    Raises:
        CannotEdit: a number that is not finite.
    """
    if isinstance(value, float) and not math.isfinite(value):
        reason = "the value is not a finite number"
        raise CannotEdit(reason, "Give a finite number")
    return json.dumps(value, ensure_ascii=False)


def _check_standard(document: JsonDocument) -> None:
    oddity = document.read_only
    if oddity is not None:
        line = document.source.line_of(oddity.at)
        reason = f"the file is no standard JSON ({oddity.what} at line {line}): it is only read"
        raise CannotEdit(reason, "Remove it, or make the edit by hand", line)


def _check_own(document: JsonDocument, place: Place) -> None:
    _check_standard(document)
    if place.repeated:
        reason = f"{place.path} stands more than once"
        raise CannotEdit(reason, f"Change {place.path} by hand", document.line(place))


def _list_text(document: JsonDocument, node: Array, value: Json) -> str:
    """A list in the layout of the one that it replaces: one line, or one item per line."""
    text = document.source.text
    inner = text[node.start + 1 : node.end - 1]
    if not isinstance(value, list) or not value or "\n" not in inner:
        return json_text(value)
    lead = inner[: len(inner) - len(inner.lstrip())]
    tail = inner[len(inner.rstrip()) :]
    items = [json_text(item) for item in value]
    return "[" + lead + f",{lead}".join(items) + tail + "]"


def _insert(
    document: JsonDocument, block: Mapping, steps: Many[str], depth: int, value: Json,
    beside: Many[str],
) -> Change:  # fmt: skip
    """The member `steps[depth]` of `block`, with the objects that its value needs."""
    path = ".".join(steps)
    sibling = _sibling(document, block, steps[:depth], beside)
    if sibling is None:
        return _fill(document, block, steps, depth, value)
    text = document.source.text
    gap = _gap(document, block, sibling)
    colon = text[sibling.key.end : sibling.value.start]
    colon = ": " if "\n" in colon else colon
    member = _member_text(document, steps[depth:], value, gap, colon)
    return Change(sibling.value.end, sibling.value.end, f",{gap}{member}", path)


def _fill(
    document: JsonDocument, block: Mapping, steps: Many[str], depth: int, value: Json
) -> Change:
    """The first member of an empty object."""
    newline = document.source.newline
    inner = document.source.text[block.start + 1 : block.end - 1]
    lead, tail = "", ""
    if "\n" in inner:
        outer = _indent(document, block.end - 1)
        lead, tail = newline + outer + _step(document), newline + outer
    member = _member_text(document, steps[depth:], value, lead or " ", ": ")
    return Change(block.start + 1, block.end - 1, f"{lead}{member}{tail}", ".".join(steps))


def _member_text(
    document: JsonDocument, steps: Many[str], value: Json, gap: str, colon: str
) -> str:
    """`"key": value`, nested for every further step, one line each where the gap is a line end."""
    head = json.dumps(steps[0], ensure_ascii=False) + colon
    if len(steps) == 1:
        return head + json_text(value)
    deeper = gap + _step(document) if "\n" in gap else ""
    inner = _member_text(document, steps[1:], value, deeper or gap, colon)
    return f"{head}{{{deeper}{inner}{gap if deeper else ''}}}"


def _sibling(
    document: JsonDocument, block: Mapping, above: Many[str], beside: Many[str]
) -> Entry | None:
    """The entry behind which a new one belongs."""
    own = {entry.key.value: entry for entry in block.entries if isinstance(entry.key, Scalar)}
    prefix = ".".join(above) + "." if above else ""
    for path in beside:
        name = path.removeprefix(prefix).partition(".")[0]
        if path.startswith(prefix) and name in own:
            return own[name]
    return block.entries[-1] if block.entries else None


def _gap(document: JsonDocument, block: Mapping, sibling: Entry) -> str:
    """What stands before a member: a line end with its indent, or a blank."""
    text = document.source.text
    start = text.rfind("\n", 0, sibling.key.start) + 1
    if start > block.start and not text[start : sibling.key.start].strip():
        return document.source.newline + text[start : sibling.key.start]
    airy = text[sibling.key.start - 1] in " \t" or sibling is block.entries[0]
    return " " if airy and " " in text[sibling.key.end : sibling.value.start] else ""


def _indent(document: JsonDocument, at: int) -> str:
    """The blanks that begin the line of a character."""
    text = document.source.text
    start = text.rfind("\n", 0, at) + 1
    line = text[start:at]
    return line[: len(line) - len(line.lstrip())]


def _step(document: JsonDocument) -> str:
    """By how much the file indents an object's members: as its first line of members."""
    first = document.root.entries[0].key.start if document.root.entries else 0
    text = document.source.text
    start = text.rfind("\n", 0, first) + 1
    lead = text[start:first]
    return lead if start and lead and not lead.strip() else INDENT


def _member_span(document: JsonDocument, place: Place) -> tuple[int, int]:
    """The characters to remove: the member's own lines, or it and the blanks up to the next."""
    entries, text = place.parent.entries, document.source.text
    at = next(number for number, entry in enumerate(entries) if entry.key is place.key)
    if at + 1 == len(entries):
        return entries[at - 1].value.end, place.value.end
    following = entries[at + 1].key.start
    start = text.rfind("\n", 0, place.key.start) + 1
    comma = text.index(",", place.value.end)
    end = text.find("\n", comma) + 1
    if start > place.parent.start and 0 < end <= following:
        own_lines = not text[start : place.key.start].strip() and not text[comma + 1 : end].strip()
        if own_lines:
            return start, end
    return place.key.start, following
