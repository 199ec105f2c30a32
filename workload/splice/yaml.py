"""Changes of a YAML text: one scalar's characters replaced, one line added, whole lines removed.

Nothing is ever serialised anew, so comments, quotes, order and line ends stay. The caller parses
the result again and compares.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence as Many

from audit.records.base import Json
from workload.dialects import CannotEdit, Change
from workload.splice.yaml_document import Document, Place
from workload.splice.yaml_tree import Alias, Mapping, Node, Scalar, Sequence
from workload.splice.yaml_values import Loader, plain_kind

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*")
"""Text that needs no quotes in block or flow context (when it is not read as another kind)."""
INDENT = "  "


def set_value(document: Document, place: Place, value: Json) -> Change:
    """Replace the characters of one scalar.

    Raises:
        CannotEdit: the value is shared, repeated, tagged, anchored or no scalar.
    """
    _check_own(document, place)
    node = place.value
    if not isinstance(node, Scalar) or node.tag or node.anchor:
        reason = f"{place.path} holds more than one plain value"
        advice = f"Write {place.path}: {scalar_text(value, document.loader)}"
        raise CannotEdit(reason, advice, document.line(place))
    text = scalar_text(value, document.loader, like=node)
    start, end = node.start, content_end(document, node)
    if start == end and document.source.text[start - 1 : start] == ":":
        text = " " + text
    return Change(start, end, text, place.path)


def set_key_and_value(
    document: Document, place: Place, name: str, value: Json
) -> tuple[Change, ...]:
    """Rename a key and replace its value: for a key that a newer one replaces.

    Raises:
        CannotEdit: as `set_value`, or the new name is taken.
    """
    above = place.path.rpartition(".")[0]
    path = f"{above}.{name}" if above else name
    key = place.key
    if document.place(path) is not None or not isinstance(key, Scalar) or key.style:
        reason = f"{place.path} cannot be renamed to {name} here"
        raise CannotEdit(reason, f"Replace it by {name}", document.line(place))
    change = set_value(document, place, value)
    return Change(key.start, key.end, name, path), change._replace(key=place.path)


def insert_key(document: Document, path: str, value: Json, beside: Many[str] = ()) -> Change:
    """Add one key as one line below the first key of `beside` that its block holds, else last.

    A block that is missing is added with it. Raises CannotEdit.
    """
    above, _, name = path.rpartition(".")
    block = _block_at(document, above)
    if block is None:
        return _insert_block(document, above, path, value, beside)
    sibling = _sibling(document, block, above, beside)
    if sibling is None:
        return _fill_empty(document, block, path, value)
    if block.flow:
        return _insert_in_flow(document, block, path, value)
    column = document.source.column_of(sibling.key.start) - 1
    line = f"{' ' * column}{name}: {scalar_text(value, document.loader)}"
    return _insert_line(document, sibling, line, path)


def insert_lines(document: Document, lines: Many[str], beside: Many[str], path: str) -> Change:
    """Add top-level lines below the first key of `beside`, else at the end. Raises CannotEdit."""
    sibling = _sibling(document, document.root, "", beside)
    if sibling is None or document.root.flow:
        reason = "the file is written in braces"
        raise CannotEdit(reason, "Add: " + "; ".join(lines))
    return _insert_line(document, sibling, document.source.newline.join(lines), path)


def remove_key(document: Document, place: Place) -> Change:
    """Remove a key with its value: whole lines, or the entry and its comma within braces.

    Raises:
        CannotEdit: the key is shared or repeated, or the last one of the file.
    """
    _check_own(document, place)
    parent = place.parent
    if len(parent.entries) == 1:
        above = document.place(place.path.rpartition(".")[0])
        if above is None or parent is document.root:
            reason = f"{place.path} is the only key"
            raise CannotEdit(reason, f"Remove {place.path}", document.line(place))
        return remove_key(document, above)._replace(key=place.path)
    if parent.flow:
        return Change(*_flow_span(document, place), "", place.path)
    text = document.source.text
    start = text.rfind("\n", 0, place.key.start) + 1
    if text[start : place.key.start].strip():
        reason = f"{place.path} does not begin its line"
        raise CannotEdit(reason, f"Remove {place.path}", document.line(place))
    end = _line_end(text, max(content_end(document, place.value), place.key.end))
    return Change(start, end, "", place.path)


def scalar_text(value: Json, loader: Loader, like: Scalar | None = None) -> str:
    """A value as YAML text that the loader reads back as the same value and type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, list):
        return "[" + ", ".join(scalar_text(item, loader) for item in value) + "]"
    text = str(value)
    if like is not None and like.style == '"':
        return json.dumps(text, ensure_ascii=False)
    if like is not None and like.style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if _PLAIN.fullmatch(text) and plain_kind(text, loader) == "str":
        return text
    return json.dumps(text, ensure_ascii=False)


def content_end(document: Document, node: Node) -> int:
    """Offset behind the last character of a value, without the blank lines and comments below."""
    if isinstance(node, Scalar):
        if node.style in ("|", ">"):
            return node.start + len(document.source.text[node.start : node.end].rstrip())
        return node.end
    if isinstance(node, Mapping) and not node.flow and node.entries:
        last = node.entries[-1]
        return max(content_end(document, last.value), last.key.end)
    if isinstance(node, Sequence) and not node.flow and node.items:
        return content_end(document, node.items[-1])
    return node.end


def _number_text(value: int | float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        reason = "the value is not a finite number"
        raise CannotEdit(reason, "Give a finite number")
    text = repr(value)
    mantissa, sign, exponent = text.partition("e")
    # PyYAML reads 1e-05 as text: YAML 1.1 wants the dot.
    return f"{mantissa}.0e{exponent}" if sign and "." not in mantissa else text


def _check_own(document: Document, place: Place) -> None:
    if place.shared or isinstance(place.value, Alias) or getattr(place.value, "anchor", None):
        reason = f"{place.path} is shared through a YAML anchor"
    elif place.repeated:
        reason = f"{place.path} stands more than once"
    else:
        return
    raise CannotEdit(reason, f"Change {place.path} by hand", document.line(place))


def _block_at(document: Document, path: str) -> Mapping | None:
    if not path:
        return document.root
    place = document.place(path)
    if place is None:
        return None
    if place.shared or place.repeated or isinstance(place.value, Alias):
        _check_own(document, place)
    if isinstance(place.value, Mapping):
        return place.value
    if isinstance(place.value, Scalar) and document.plain(place.value) is None:
        return None
    reason = f"{path} is no block of settings"
    raise CannotEdit(reason, f"Write {path} as a block", document.line(place))


def _sibling(document: Document, block: Mapping, above: str, beside: Many[str]) -> Place | None:
    own = [place for place in document.places(above) if place.parent is block]
    by_path = {place.path: place for place in own if not place.repeated}
    found = next((by_path[path] for path in beside if path in by_path), None)
    return found or max(own, key=lambda place: place.key.start, default=None)


def _insert_line(document: Document, sibling: Place, line: str, path: str) -> Change:
    text, newline = document.source.text, document.source.newline
    at = _line_end(text, max(content_end(document, sibling.value), sibling.key.end))
    if at == len(text) and not text.endswith("\n"):
        return Change(at, at, newline + line, path)
    return Change(at, at, line + newline, path)


def _insert_block(
    document: Document, above: str, path: str, value: Json, beside: Many[str]
) -> Change:
    name = path.rpartition(".")[2]
    line = f"{name}: {scalar_text(value, document.loader)}"
    if "." in above:
        reason = f"{path} has no block in the file"
        raise CannotEdit(reason, f"Add {path} with the value {scalar_text(value, document.loader)}")
    if document.root.flow:
        inner = f"{{{json.dumps(name)}: {scalar_text(value, document.loader)}}}"
        return _insert_in_flow(document, document.root, above, value, inner)._replace(key=path)
    empty = document.place(above)
    if empty is not None:  # `fsdp_config:` without a value
        node = empty.value
        if node.end > node.start:
            change = set_value(document, empty, None)
            return change._replace(text="{" + line + "}", key=path)
        at = len(document.source.text[: _line_end(document.source.text, node.end)].rstrip("\r\n"))
        column = document.source.column_of(empty.key.start) - 1
        indent = document.source.newline + " " * column + INDENT
        return Change(at, at, indent + line, path)
    return insert_lines(document, [f"{above}:", INDENT + line], beside, path)


def _fill_empty(document: Document, block: Mapping, path: str, value: Json) -> Change:
    name = path.rpartition(".")[2]
    at = block.start + 1
    return Change(at, at, f"{name}: {scalar_text(value, document.loader)}", path)


def _insert_in_flow(
    document: Document, block: Mapping, path: str, value: Json, written: str | None = None
) -> Change:
    last = block.entries[-1]
    name = path.rpartition(".")[2]
    text = document.source.text
    quoted = isinstance(last.key, Scalar) and last.key.style == '"'
    key = json.dumps(name) if quoted else name
    shown = written or scalar_text(value, document.loader)
    if quoted and isinstance(value, str) and written is None:
        shown = json.dumps(value, ensure_ascii=False)
    start = text.rfind("\n", 0, last.key.start) + 1
    indent = text[start : last.key.start]
    gap = document.source.newline + indent if start and not indent.strip() else " "
    at = max(content_end(document, last.value), last.key.end)
    return Change(at, at, f",{gap}{key}: {shown}", path)


def _flow_span(document: Document, place: Place) -> tuple[int, int]:
    entries = place.parent.entries
    at = next(number for number, entry in enumerate(entries) if entry.key is place.key)
    if at + 1 < len(entries):
        return place.key.start, entries[at + 1].key.start
    before = entries[at - 1]
    start = max(content_end(document, before.value), before.key.end)
    return start, max(content_end(document, place.value), place.key.end)


def _line_end(text: str, at: int) -> int:
    """Offset behind the line feed of the line that holds `at`; the end of the text without one."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1
